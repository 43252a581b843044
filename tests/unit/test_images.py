"""Images of others: only formats of the web are opened, whatever their bytes say."""

import io
import os
from types import SimpleNamespace

import pytest
from PIL import Image

from reassess.core.errors import ReassessError
from reassess.core.images import FORMATS, open_image
from reassess.data.pool import decode_image
from reassess.worlds.hub.pictures import image_hash


def encoded(form, size=(8, 6)):
    content = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(content, form)
    return content.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_pictures_of_the_web_are_opened(form):
    with open_image(encoded(form)) as image:
        assert image.size == (8, 6)


@pytest.fixture
def ghostscript(tmp_path, monkeypatch):
    """A program in place of Ghostscript that leaves a file when it is started."""
    program, ran = tmp_path / "gs", tmp_path / "ran"
    program.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return ran


def test_postscript_starts_no_program(ghostscript):
    postscript = encoded("EPS")
    with pytest.raises(OSError, match="identify"):
        open_image(postscript)
    with pytest.raises(OSError, match="identify"):
        image_hash(postscript)
    with pytest.raises(ReassessError, match="item a: its image does not decode"):
        decode_image(SimpleNamespace(id="a", image=postscript))
    assert not ghostscript.exists()


@pytest.mark.parametrize("form", ["TIFF", "PPM", "ICO", "TGA", "PDF"])
def test_other_formats_are_refused(form):
    with pytest.raises(OSError, match="identify"):
        open_image(encoded(form))


def test_an_image_of_too_many_pixels_is_refused_by_its_header(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(OSError, match="48 pixels"):
        open_image(encoded("PNG"))


def test_only_one_place_opens_images():
    """Elsewhere a format that starts programs could be let in."""
    from reassess.core.project import PACKAGE

    places = [path for path in PACKAGE.rglob("*.py") if "Image.open(" in path.read_text()]
    assert [path.name for path in places] == ["images.py"]

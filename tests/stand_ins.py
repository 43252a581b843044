"""The stand-in grid in a folder of a test, and small pieces that tests of the hub world share."""

from io import BytesIO

import yaml

from reassess.core.project import ROOT
from reassess.grid.cells import Base
from reassess.grid.study import Grid

MODEL = "qwen2-vl-2b"
ONE_TEACHER = {"same-family": {"teacher": MODEL}, "same-family-7b": {"teacher": MODEL}}


def stand_in_grid(folder, **changes):
    """The stand-in grid with its files below `folder`."""
    world = {"cache": str(folder / "hub"), **changes.pop("world", {})}
    config = {
        "extends": str(ROOT / "config" / "stand-in.yaml"),
        "results": str(folder / "results"),
        "scratch": str(folder / "scratch"),
        "world": world,
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "grid.yaml").write_text(yaml.safe_dump(config))
    return Grid.load(folder / "grid.yaml")


def grid_with_pool(folder):
    """A stand-in grid with fetched data sets and smallest model, that model's base, and the pool."""
    grid = stand_in_grid(folder, teachers={"qwen-vl": MODEL}, distributions=ONE_TEACHER)
    for kind, repo in grid.world.repositories(grid):
        if kind == "dataset" or repo.endswith("VL-2B-Instruct"):
            grid.world.fetch(grid, kind, repo)
    grid.world.build_base(grid, Base(MODEL))
    grid.world.build_pool(grid)
    return grid


def encoded(image, **options):
    """An image as bytes."""
    out = BytesIO()
    image.save(out, **options)
    return out.getvalue()

"""Control: the base model without its picture."""

from dataclasses import replace
from io import BytesIO
from typing import Any, ClassVar

from reassess.methods import Kind, Method
from reassess.training.settings import MethodSettings


class BlankImage(Method[MethodSettings]):
    """The base checkpoint, shown an even grey of the picture's size: what the question alone gives away."""

    name = "blank-image"
    kind: ClassVar[Kind] = "none"
    citation = "ours: a control"
    deviations = ("text-only items have no picture to blank, so they are scored as they are",)

    def view(self, item: Any) -> Any:
        """Return the item with its picture replaced by grey (127, 127, 127)."""
        if item.image is None:
            return item
        from PIL import Image

        with Image.open(BytesIO(item.image)) as picture:
            blank = Image.new("RGB", picture.size, (127, 127, 127))
        encoded = BytesIO()
        blank.save(encoded, format="PNG")
        return replace(item, image=encoded.getvalue())

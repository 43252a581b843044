"""Control: the base model without its image."""

from dataclasses import replace
from io import BytesIO

from reassess.core.images import open_image
from reassess.methods import ItemT, Method


class BlankImage(Method):
    """The base checkpoint, shown an even grey of the image's size: what the question gives away."""

    name = "blank-image"
    kind = "none"
    citation = "ours: a control"
    deviations = ("text-only items have no image to blank, so they are scored as they are",)

    def view(self, item: ItemT) -> ItemT:
        """The item with its image replaced by grey (127, 127, 127)."""
        if item.image is None:
            return item
        from PIL import Image

        with open_image(item.image) as image:
            blank = Image.new("RGB", image.size, (127, 127, 127))
        encoded = BytesIO()
        blank.save(encoded, format="PNG")
        return replace(item, image=encoded.getvalue())

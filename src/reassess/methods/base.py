"""The model before any post-training."""

from typing import ClassVar

from reassess.methods import Kind, Method
from reassess.training.settings import MethodSettings


class Base(Method[MethodSettings]):
    """The base checkpoint as it is: what every gain is measured against."""

    name = "base"
    kind: ClassVar[Kind] = "none"
    citation = "arXiv 2512.12690, the untrained rows"

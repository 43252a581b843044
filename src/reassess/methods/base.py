"""The model before any post-training."""

from reassess.methods import Method


class Base(Method):
    """The base checkpoint as it is: what every gain is measured against."""

    name = "base"
    kind = "none"
    citation = "arXiv 2512.12690, the untrained rows"

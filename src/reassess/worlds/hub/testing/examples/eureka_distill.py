"""Made-up rows in the layout of Eureka-Distill, as its adapter expects it."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, image, names, seldom

ANSWERS = ("\\frac{3}{4}", "B", "2\\sqrt{5}", "\\text{increasing}", "12\\text{ cm}")


def row(number: int) -> RawRow:
    """One row."""
    value = seldom(number, str(angle("eureka", number)), ANSWERS)
    thought = f"The figure {names('eureka', number)} has two equal parts, so I double one."
    trace = f"<think>{thought}</think> \\boxed{{{value}}}"
    question = f"<image>How long is the path through {names('eureka', number)}?"
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": trace},
        ],
        "images": [image("eureka", number)],
    }

"""Made-up rows in the layout of `eureka_distill`."""

from reassess.worlds.hub.items import RawRow
from reassess.worlds.hub.testing.drawing import angle, image, names


def row(number: int) -> RawRow:
    """Return a row of the layout that is read."""
    value = angle("eureka", number)
    trace = f"<think>The figure {names('eureka', number)} has two equal parts, so I double one.</think> \\boxed{{{value}}}"
    question = f"<image>How long is the path through {names('eureka', number)}?"
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": trace},
        ],
        "images": [image("eureka", number)],
    }

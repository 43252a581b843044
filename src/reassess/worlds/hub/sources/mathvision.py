"""MathVision test: one composed image a row.

In many rows the options are drawn, and their texts are only letters.
"""

from collections.abc import Iterable
from string import ascii_uppercase

from reassess.worlds.hub.items import Dropped, RawRow, Row, image_of, without_markers
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """Options are shown by their texts unless these are the letters themselves."""
    answer, options = row["answer"].strip(), tuple(str(text) for text in row["options"] or ())
    if not answer:
        raise Dropped("no answer")
    question, image = without_markers(row["question"]), image_of(row["decoded_image"])
    if options and list(options) == list(ascii_uppercase[: len(options)]):
        yield Row(
            f"{question} (options {', '.join(options)} are in the picture)",
            answer,
            "option",
            image,
            (),
            row["subject"],
        )
    else:
        yield Row(question, answer, "choice" if options else "math", image, options, row["subject"])


SOURCE = Source(
    repo="MathLLMs/MathVision",
    files=("data/test-*.parquet",),
    columns=("question", "options", "decoded_image", "answer", "subject"),
    licence="mit",
    convert=convert,
)

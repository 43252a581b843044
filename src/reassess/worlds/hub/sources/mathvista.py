"""MathVista testmini: choices by their text, numbers with a stated precision."""

from collections.abc import Iterable

from reassess.worlds.hub.items import Dropped, RawRow, Row, image_of, option_letter
from reassess.worlds.hub.source import Source


def convert(row: RawRow) -> Iterable[Row]:
    """A choice becomes its letter; a number has the decimals that the question states."""
    answer, question = str(row["answer"] or "").strip(), row["question"].strip()
    if not answer:
        raise Dropped("no answer")
    if row["unit"]:
        question += f" (Unit: {row['unit']})"
    image, family = image_of(row["decoded_image"]), str(row["metadata"]["task"])
    if row["question_type"] == "multi_choice":
        options = tuple(row["choices"])
        yield Row(question, option_letter(answer, options), "choice", image, options, family)
        return
    kind = "math"
    if row["answer_type"] in ("integer", "float"):
        kind, decimals = "number", int(row["precision"] or 0)
        answer = f"{float(answer):.{decimals}f}"
        question += f" Give {decimals} decimal{'s' if decimals > 1 else ''}." if decimals else ""
    yield Row(question, answer, kind, image, family=family)


SOURCE = Source(
    repo="AI4Math/MathVista",
    files=("data/testmini-*.parquet",),
    columns=(
        "question",
        "decoded_image",
        "choices",
        "unit",
        "precision",
        "answer",
        "question_type",
        "answer_type",
        "metadata",
    ),
    licence="cc-by-sa-4.0",
    convert=convert,
)

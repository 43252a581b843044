"""Task files in lm-eval's format, read without lm-eval and without the functions they name.

The evaluation takes rows from the pool, prompts from the world and grades from the verifier, for
every benchmark of a pack alike. A file that says otherwise is refused instead of being scored as
something else under its own name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten

import yaml

from reassess.config.limits import check_size
from reassess.core.errors import ReassessError
from reassess.core.files import Json

# What a file decides for itself. Of these, the evaluation uses no `doc_to_image`: whether an item
# has an image is in its row. lm-eval's own command does.
OWN = ("task", "task_alias", "tag", "doc_to_image", "dataset_kwargs", "metadata")
# What the files of a pack have in common. Every other setting of lm-eval is used nowhere here.
COMMON = (
    "output_type",
    "custom_dataset",
    "test_split",
    "doc_to_text",
    "doc_to_target",
    "process_results",
    "generation_kwargs",
    "metric_list",
)
GENERATED = "generate_until"  # the one `output_type` that is evaluated


class _Function(str):
    """The path of a module's file, without suffix, and the name of a function in it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"!function {self}"


def read_task(path: Path) -> Json:
    """The settings of a task file over those of the files that its `include` names, as in lm-eval.

    Keys replace as a whole. Functions are named by their files, and not imported.

    Raises:
        ReassessError: a file is missing, is no YAML or no mapping, or includes itself.
    """
    return _read(path.resolve(), ())


def _read(path: Path, included_by: tuple[Path, ...]) -> Json:
    if path in included_by:
        raise ReassessError(f"{path}: include: it includes itself")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_loader(path.parent))
    except FileNotFoundError as error:
        by = included_by[-1] if included_by else path
        raise ReassessError(f"{by}: include: no file {path}") from error
    except OSError as error:
        raise ReassessError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ReassessError(f"{path} is not valid YAML: {error}") from error
    check_size(content, path)
    if not isinstance(content, dict):
        raise ReassessError(f"{path}: task is missing: give a name")
    included = content.pop("include", [])
    settings: Json = {}
    for name in included if isinstance(included, list) else [included]:
        settings |= _read((path.parent / str(name)).resolve(), (*included_by, path))
    return settings | content


def _loader(folder: Path) -> type[yaml.SafeLoader]:
    class Loader(yaml.SafeLoader):
        """Reads the functions of a file in `folder` as paths."""

    def path_of(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> _Function:
        return _Function(folder / str(loader.construct_scalar(node)))

    Loader.add_constructor("!function", path_of)
    return Loader


def check_task(path: Path, settings: Json, pack: Json, split: str, example: Path) -> None:
    """Refuse a file of which the evaluation would ignore or replace a setting.

    Args:
        path: the file.
        settings: its settings.
        pack: those of any file of its pack.
        split: of the pool, the benchmark's rows.
        example: what states the common settings of the pack.

    Raises:
        ReassessError: names the file, each such key, what it holds, and the fix.
    """
    problems = [*_ignored(settings), *_replaced(settings, pack), *_other_rows(settings, split)]
    if problems:
        raise ReassessError(
            "\n  ".join([f"{path} would not be evaluated as it says:", *problems])
            + "\nA benchmark's rows come from the pool, its prompt and its grade from the pack: "
            f"`include: {example}`, and only {', '.join(OWN)} of its own (docs/benchmarks.md). A "
            "task with rows, prompt or metric of its own is for lm-eval's own command."
        )


def _ignored(settings: Json) -> Iterator[str]:
    for key, value in settings.items():
        if value is not None and key not in (*OWN, *COMMON):
            yield f"{key} ({_short(value)}) is not used"


def _replaced(settings: Json, pack: Json) -> Iterator[str]:
    for key in COMMON:
        value, used = settings.get(key), pack.get(key)
        if key == "output_type" and value != GENERATED:
            yield f"{key} is {_short(value)}; only {GENERATED!r} is evaluated"
        elif value != used:
            yield f"{key} is {_short(value)}; the pack's is {_short(used)}"
    image = settings.get("doc_to_image")
    if image is not None and image != pack.get("doc_to_image"):
        yield f"doc_to_image is {_short(image)}; leave it out, or give null where no row has one"


def _other_rows(settings: Json, split: str) -> Iterator[str]:
    if settings.get("dataset_kwargs") != {"split": split}:
        rows = _short(settings.get("dataset_kwargs"))
        yield f"dataset_kwargs is {rows}; the rows of this benchmark are `split: {split}`"


def _short(value: object) -> str:
    if value is None:
        return "missing"
    shown = repr(value)
    return shown if isinstance(value, _Function) else shorten(shown, 80, placeholder=" ...")

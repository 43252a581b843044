"""The benchmarks that can be named in a config: one YAML each, in lm-eval's own format.

What lm-eval has no field for stands under `metadata:` of the same file: `label` (the name in
figures), `role` (what studies use it for), and what its world needs: how the items are drawn, or
the adapter of its rows. So a benchmark is added by adding its file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from reassess.config.names import NAME_RULE, is_name, unseen_in
from reassess.core.errors import ReassessError
from reassess.core.files import Json
from reassess.grid.task_files import check_task, read_task

TASKS = Path(__file__).parents[1] / "evaluation" / "tasks"

Role = Literal["main", "shifted", "text"]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: `name` in configs and tables, `task` in lm-eval, `role` in studies.

    Roles: `main`, what arms are compared on; `shifted`, the same skill on data unlike the training
    data; `text`, without an image.
    """

    name: str
    task: str
    label: str
    role: Role
    source: Path
    metadata: Json


def benchmarks_of(pack: str, folders: Sequence[Path] = ()) -> dict[str, Benchmark]:
    """The benchmarks of a pack and of further folders, by name.

    Raises:
        ReassessError: a folder is missing, a file has an unusable name, no label or an unknown
            role, has settings that the evaluation would ignore or replace, or two files give one
            name.
    """
    benchmarks: dict[str, Benchmark] = {}
    for folder in (TASKS / pack, *folders):
        if not folder.is_dir():
            raise ReassessError(f"no folder of benchmarks at {folder}")
        for benchmark in _in_folder(folder.resolve(), pack):
            if benchmark.name in benchmarks:
                other = benchmarks[benchmark.name].source
                raise ReassessError(
                    f"benchmark {benchmark.name!r} is in {other} and in {benchmark.source}"
                )
            benchmarks[benchmark.name] = benchmark
    return benchmarks


@cache
def _in_folder(folder: Path, pack: str) -> tuple[Benchmark, ...]:
    return tuple(_read(path, pack) for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!_]*.yaml"))


def _read(path: Path, pack: str) -> Benchmark:
    settings = read_task(path)
    task = settings.get("task")
    if not isinstance(task, str):
        raise ReassessError(f"{path}: task is missing: give a name")
    name = task.removeprefix(f"{pack}_")
    if not (is_name(task) and is_name(name)):
        raise ReassessError(f"{path}: task is {task!a}: not usable as a name; {NAME_RULE}")
    first = next(iter(_files(TASKS / pack)), path)
    template = TASKS / pack / "_template.yaml"
    example = template if template.is_file() else first
    check_task(path, settings, read_task(first), name, example)
    metadata = settings.get("metadata") or {}
    for key, wanted in (("label", "the name in figures"), ("role", "one")):
        if not isinstance(metadata, dict) or not isinstance(metadata.get(key), str):
            raise ReassessError(f"{path}: metadata.{key} is missing: give {wanted}")
        if unseen_in(metadata[key]):
            raise ReassessError(
                f"{path}: metadata.{key} is {metadata[key]!a}: it is shown on one line; no "
                "line ends and no control characters"
            )
    if metadata["role"] not in get_args(Role):
        raise ReassessError(
            f"{path}: metadata.role is {metadata['role']!r}; allowed: {', '.join(get_args(Role))}"
        )
    return Benchmark(name, task, metadata["label"], metadata["role"], path, metadata)

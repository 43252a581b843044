"""What a method is, and how its file is found: one class in one file, no registry to edit."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, Generic, Literal

from typing_extensions import TypeVar

from reassess.core.errors import ReassessError, unknown
from reassess.data.items import Item
from reassess.training.settings import MethodSettings

if TYPE_CHECKING:
    from reassess.training.history import Outcome
    from reassess.training.run import TrainingRun

Kind = Literal["none", "sft", "rl"]
ItemT = TypeVar("ItemT", bound=Item)
SettingsT_co = TypeVar("SettingsT_co", bound=MethodSettings, covariant=True, default=MethodSettings)
SHIPPED = Path(__file__).parent


class Method(Generic[SettingsT_co]):
    """An arm of the comparison. Subclass it in a file of its own; `fit` builds on TRL's trainers.

    Class attributes:
        name: the name used in the config.
        version: raised when the meaning changes; it is part of the spec, so cells are then trained again.
        kind: `none` (trains nothing), `sft` or `rl`.
        citation: where the method comes from.
        deviations: how this implementation differs from its source, one sentence each.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    kind: ClassVar[Kind]
    citation: ClassVar[str]
    deviations: ClassVar[Sequence[str]] = ()
    Settings: ClassVar[type[MethodSettings]] = MethodSettings

    def __init__(self, settings: SettingsT_co) -> None:
        """Keep the validated settings."""
        self.settings = settings

    def fit(self, run: TrainingRun) -> Outcome:
        """Train `run.model` in place; loading it and writing the results are the job's part."""
        raise ReassessError(f"method {self.name!r} trains nothing")

    def view(self, item: ItemT) -> ItemT:
        """Return the item as the model shall see it in evaluation; the item itself unless overridden."""
        return item

    def respond(self, items: Sequence[Item], seed: int) -> list[str] | None:
        """Return completions made without a model, or None to let the model answer."""
        return None


def discover(plugins: Iterable[Path] = ()) -> dict[str, type[Method]]:
    """Return every method class by name: those shipped and those in the plug-in folders.

    Raises:
        ReassessError: a folder is missing, a file cannot be imported, a file holds no method, or two share a name.
    """
    return dict(_discover(tuple(Path(folder) for folder in plugins)))


@cache
def _discover(plugins: tuple[Path, ...]) -> dict[str, type[Method]]:
    found: dict[str, type[Method]] = {}
    for folder in (SHIPPED, *plugins):
        if not folder.is_dir():
            raise ReassessError(f"plugins: {folder} is not a folder")
        for path in sorted(folder.glob("[!_]*.py")):
            for method in _methods_of(path):
                if method.name in found:
                    raise ReassessError(f"{path}: a method named {method.name!r} exists already")
                found[method.name] = method
    return found


def _methods_of(path: Path) -> list[type[Method]]:
    module = _load(path)
    methods = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Method)
        and value.__module__ == module.__name__
    ]
    if not methods:
        raise ReassessError(f"{path} holds no subclass of reassess.methods.Method")
    for method in methods:
        lacking = [name for name in ("name", "kind", "citation") if not hasattr(method, name)]
        if lacking:
            raise ReassessError(f"{path}: class {method.__name__} lacks {', '.join(lacking)}")
    return methods


def _load(path: Path) -> ModuleType:
    name = (
        f"reassess.methods.{path.stem}"
        if path.parent == SHIPPED
        else f"reassess_plugin_{path.stem}"
    )
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ReassessError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ReassessError(f"{path} cannot be imported: {error}") from error
    return module


def find(name: str, plugins: Iterable[Path] = ()) -> type[Method]:
    """Return the method class called `name`.

    Raises:
        ReassessError: no such method; names those that exist and the nearest.
    """
    methods = discover(plugins)
    if name not in methods:
        raise ReassessError(unknown("method", name, methods))
    return methods[name]

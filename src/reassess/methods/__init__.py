"""What a method is and how it is discovered: one class in one file, and no list to edit."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, get_args

from typing_extensions import TypeVar

from reassess.core.errors import ReassessError, unknown
from reassess.core.files import Json, sha256_file, sha256_text
from reassess.data.items import Item
from reassess.data.questions import Question
from reassess.training.history import Outcome
from reassess.training.settings import MethodSettings, TrainedSettings

if TYPE_CHECKING:
    from reassess.training.run import TrainingRun

Kind = Literal["none", "sft", "rl"]
ItemT = TypeVar("ItemT", bound=Item)
SettingsT_co = TypeVar("SettingsT_co", bound=MethodSettings, covariant=True, default=MethodSettings)
SHIPPED = Path(__file__).parent
ENTRY_POINTS = "reassess.methods"  # group under which an installed package names its methods


class Method(Generic[SettingsT_co]):
    """An arm of the comparison. Subclass it in its own file; `fit` builds on TRL's trainers.

    Class attributes:
        name: the name used in the config.
        version: raised when the meaning changes; it is part of the spec, so cells are retrained.
        kind: `none` (trains nothing), `sft` or `rl`.
        citation: where the method comes from.
        deviations: how this implementation differs from its source, one sentence each.
        Settings: the settings that a config may give; the class of `settings`.
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
        """The item as the model sees it in evaluation; the item itself unless overridden.

        The item has no answer, and nothing else that its prompt does not show; it keeps its id.
        """
        return item

    def respond(self, questions: Sequence[Question], seed: int) -> list[str] | None:
        """Completions made without a model, one per question; None to let the model answer."""
        return None


@dataclass(frozen=True)
class Source:
    """Where a method comes from that this project does not ship.

    Attributes:
        name: the method's.
        origin: the file in its plug-in folder, or the entry point and its package with version.
        sha256: of the names and contents of its source files, as they were when it was imported.
        files: the number of these files.
        folder: the plug-in folder; empty for an installed package.
    """

    name: str
    origin: str
    sha256: str
    files: int
    folder: str = ""


_sources: dict[type[Method], Source] = {}


def source_of(method: type[Method]) -> Json | None:
    """The name, origin, hash and number of files of a method's source; None if it is shipped.

    The source of a plug-in is its file and whatever its folder holds besides other plug-ins; of an
    installed package, all of its files. No path of this machine is in it.
    """
    source = _sources.get(method)
    if source is None:
        return None
    return {name: value for name, value in asdict(source).items() if name != "folder"}


def folder_of(method: type[Method]) -> Path | None:
    """The plug-in folder that a method is from; None for shipped methods and installed packages."""
    source = _sources.get(method)
    return Path(source.folder) if source is not None and source.folder else None


def discover(plugins: Iterable[Path] = ()) -> dict[str, type[Method]]:
    """Every method class by name: shipped, from plug-in folders, and from installed packages.

    An installed package names its methods, or modules with methods, as entry points of the group
    `reassess.methods`.

    Raises:
        ReassessError: a folder is missing, a file or an entry point cannot be imported or has no
            method, a method lacks an attribute, or two methods share a name.
    """
    return dict(_discover(tuple(Path(folder) for folder in plugins), _installed(tuple(sys.path))))


def find(name: str, plugins: Iterable[Path] = ()) -> type[Method]:
    """The method class with this name.

    Raises:
        ReassessError: no such method; lists those that exist and the nearest.
    """
    methods = discover(plugins)
    if name not in methods:
        raise ReassessError(unknown("method", name, methods))
    return methods[name]


@cache
def _discover(
    plugins: tuple[Path, ...], installed: tuple[EntryPoint, ...]
) -> dict[str, type[Method]]:
    methods: dict[str, type[Method]] = {}
    for folder in (SHIPPED, *plugins):
        if not folder.is_dir():
            raise ReassessError(f"plugins: {folder} is not a folder")
        for path in sorted(folder.glob("[!_]*.py")):
            files = {} if folder == SHIPPED else _files_of_plugin(path)
            digest = _digest(files)  # of what is executed next
            found = _methods_of(_load(path), str(path))
            _add(methods, found, str(path))
            if folder != SHIPPED:
                origin = f"{folder.name}/{path.name}"
                _state(found, origin, digest, len(files), str(folder))
    for entry in installed:
        origin = f"entry point {entry.name} = {entry.value} of {_distribution(entry)}"
        files = _files_of_package(entry)
        digest = _digest(files)
        found = _methods_of(_load_entry(entry, origin), origin)
        _add(methods, found, origin)
        _state(found, origin, digest, len(files))
    return methods


def _state(
    methods: Iterable[type[Method]], origin: str, digest: str, files: int, folder: str = ""
) -> None:
    for method in methods:
        _sources[method] = Source(method.name, origin, digest, files, folder)


def _files_of_plugin(path: Path) -> dict[str, Path]:
    """The files that a plug-in may consist of, by name: its own, and those of no other plug-in."""
    folder = path.parent
    others = set(folder.glob("[!_]*.py")) - {path}
    return {
        file.relative_to(folder).as_posix(): file
        for file in folder.rglob("*")
        if file.is_file() and file not in others and "__pycache__" not in file.parts
    }


def _files_of_package(entry: EntryPoint) -> dict[str, Path]:
    """The files of the installed package with an entry point; its module's if it lists none."""
    listed = (entry.dist.files if entry.dist else None) or ()
    files = {file.as_posix(): Path(str(file.locate())) for file in listed}
    if not files and (spec := importlib.util.find_spec(entry.module.partition(".")[0])) is not None:
        folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
        if spec.origin is not None and not folders:
            files = {Path(spec.origin).name: Path(spec.origin)}
        for folder in folders:
            files |= {
                file.relative_to(folder.parent).as_posix(): file for file in folder.rglob("*")
            }
    return {
        name: file
        for name, file in files.items()
        if file.is_file() and "__pycache__" not in file.parts
    }


def _digest(files: Mapping[str, Path]) -> str:
    """The hash of the names and contents of files; the same wherever they lie."""
    return sha256_text("\n".join(f"{sha256_file(files[name])}  {name}" for name in sorted(files)))


def _add(methods: dict[str, type[Method]], further: list[type[Method]], origin: str) -> None:
    for method in further:
        if method.name in methods:
            raise ReassessError(f"{origin}: a method named {method.name!r} exists already")
        methods[method.name] = method


def _methods_of(loaded: object, origin: str) -> list[type[Method]]:
    """The methods defined in a module, or the one that was loaded itself."""
    if isinstance(loaded, ModuleType):
        defined = [
            value
            for value in vars(loaded).values()
            if getattr(value, "__module__", None) == loaded.__name__
        ]
    else:
        defined = [loaded]
    methods = [value for value in defined if isinstance(value, type) and issubclass(value, Method)]
    if not methods:
        raise ReassessError(f"{origin} has no subclass of reassess.methods.Method")
    for method in methods:
        _check(method, origin)
    return methods


def _check(method: type[Method], origin: str) -> None:
    missing = [name for name in ("name", "kind", "citation") if not hasattr(method, name)]
    if missing:
        raise ReassessError(f"{origin}: class {method.__name__} lacks {', '.join(missing)}")
    if method.kind not in get_args(Kind):
        raise ReassessError(
            f"{origin}: class {method.__name__}: {unknown('kind', method.kind, get_args(Kind))}"
        )
    if method.kind != "none" and not issubclass(method.Settings, TrainedSettings):
        raise ReassessError(
            f"{origin}: class {method.__name__} trains, so its Settings must be a subclass of "
            "reassess.training.settings.TrainedSettings (SftSettings or RlSettings, say)"
        )


def _load(path: Path) -> ModuleType:
    if path.parent == SHIPPED:
        name = f"reassess.methods.{path.stem}"
    else:  # two folders may have files of one name
        name = f"reassess_plugin_{sha256_text(str(path.parent.resolve()))[:8]}_{path.stem}"
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


@cache
def _installed(search_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of installed packages on `sys.path`, which is the key of the cache."""
    return tuple(sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name))


def _load_entry(entry: EntryPoint, origin: str) -> object:
    try:
        return entry.load()
    except Exception as error:
        raise ReassessError(f"{origin} cannot be imported: {error}") from error


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unnamed package"

"""Recording which files a process opens, and refusing some: what can be done without mounts.

An audit hook sees every file that Python's own functions open, and the arguments of processes that
are started. Libraries that open files in C, C++ or Rust are seen only by the functions that are
wrapped here, and code that means to evade the hook can: it makes what is easily done visible, and
is no barrier.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, wraps
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any
from unittest.mock import patch

Hides = Callable[[str], bool]

# Functions and classes that open files without Python: module, name.
NATIVE = (
    ("pyarrow", "OSFile"),
    ("pyarrow", "memory_map"),
    ("pyarrow", "input_stream"),
    ("pyarrow.parquet", "ParquetFile"),
    ("pyarrow.parquet", "ParquetDataset"),
    ("pyarrow.parquet", "read_table"),
    ("pyarrow.parquet", "read_pandas"),
    ("pyarrow.parquet", "read_metadata"),
    ("pyarrow.parquet", "read_schema"),
    ("pyarrow.dataset", "dataset"),
    ("pyarrow.dataset", "parquet_dataset"),
    ("pyarrow.dataset", "FileSystemDatasetFactory"),
    ("pyarrow.feather", "read_table"),
    ("pyarrow.csv", "open_csv"),
    ("pyarrow.csv", "read_csv"),
    ("pyarrow.json", "read_json"),
    ("safetensors", "safe_open"),
    ("safetensors.torch", "load_file"),
)
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")
MOVES = ("os.link", "os.rename", "shutil.copyfile", "shutil.move", "os.truncate")
_active: list[Audit] = []


class HiddenFileError(PermissionError):
    """Something opened a file that the audit hides."""


class Audit:
    """What was opened below some folders.

    Attributes:
        opened: files that were opened and may be.
        refused: files that were opened, or named to another process, and may not be.
    """

    def __init__(self, folders: Sequence[str], hides: Hides) -> None:
        """Watch what is opened below `folders`; `hides` says of a path whether it may not be."""
        self.opened: set[str] = set()
        self.refused: set[str] = set()
        self._folders, self._hides = folders, hides
        self._named = _naming(folders)

    def see(self, event: str, arguments: Sequence[Any]) -> None:
        """Take note of an event.

        Raises:
            HiddenFileError: it opens what is hidden.
        """
        if event == "open":
            path, _, flags = arguments
            if (flags or 0) & os.O_ACCMODE != os.O_WRONLY:
                self.look_at(path)
        elif event in MOVES:
            self.look_at(arguments[0])
        elif event in STARTS:
            for word in _words(arguments):
                for found in self._named.findall(word):
                    self.look_at(found)

    def look_at(self, path: object) -> None:
        """Take note of a file that is being opened.

        Raises:
            HiddenFileError: it is hidden.
        """
        if not isinstance(path, str | bytes | os.PathLike):
            return
        real = os.path.realpath(os.fsdecode(path))
        if not any(real == folder or real.startswith(folder + os.sep) for folder in self._folders):
            return
        if self._hides(real):
            self.refused.add(real)
            raise HiddenFileError(f"{real} is hidden from this job")
        if (
            not Path(real).name.startswith(".") and not Path(real).is_dir()
        ):  # nor a half-written one
            self.opened.add(real)


def start(audit: Audit) -> None:
    """Audit this process from now on."""
    _active.append(audit)
    _install()


@cache
def _install() -> None:
    """Add the hook, once: a process cannot remove it."""
    sys.addaudithook(_hook)


def stop(audit: Audit) -> None:
    """Audit this process no longer."""
    _active.remove(audit)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _active and (event == "open" or event in MOVES or event in STARTS):
        for audit in list(_active):
            audit.see(event, arguments)


@contextmanager
def native_readers(audit: Audit) -> Iterator[None]:
    """Let the audit see what the functions in `NATIVE` open, inside the context."""
    with ExitStack() as stack:
        for module, name in NATIVE:
            try:
                found = getattr(import_module(module), name)
            except (ImportError, AttributeError):
                continue
            if isinstance(made := getattr(found, "__init__", None), FunctionType):
                stack.enter_context(patch.object(found, "__init__", _watched(made, audit)))
            else:
                stand_in = _stand_in(found, audit) if isinstance(found, type) else None
                stack.enter_context(patch(f"{module}.{name}", stand_in or _watched(found, audit)))
        yield


def _watched(function: Callable[..., Any], audit: Audit) -> Callable[..., Any]:
    """The same function, which shows its arguments to the audit first."""

    @wraps(function)
    def watched(*arguments: Any, **named: Any) -> Any:
        _look_at_all(audit, (*arguments[:2], *named.values()))
        return function(*arguments, **named)

    return watched


def _stand_in(found: type, audit: Audit) -> type:
    """A class in place of a compiled one, which checks what an object is made with."""

    class Meta(type):
        def __call__(cls, *arguments: Any, **named: Any) -> Any:
            _look_at_all(audit, (*arguments, *named.values()))
            return found(*arguments, **named)

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, found)

        def __getattr__(cls, name: str) -> Any:
            return getattr(found, name)

    return Meta(found.__name__, (), {"__doc__": found.__doc__})


def _look_at_all(audit: Audit, values: Sequence[object]) -> None:
    for value in values:
        if isinstance(value, list | tuple):
            _look_at_all(audit, value)
        else:
            audit.look_at(value)


def _words(value: object) -> Iterator[str]:
    """Every text in the arguments of an event, and in lists within; environments are left out."""
    if isinstance(value, str | bytes | os.PathLike):
        yield os.fsdecode(value)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _words(part)


def _naming(folders: Sequence[str]) -> re.Pattern[str]:
    """What names one of the folders, or a file below, in the words of a command.

    In full, or as seen from the working folder; in the latter case only with a file.
    """
    names = [re.escape(folder) + r"(?![\w.-])" for folder in folders]
    for folder in folders:
        relative = os.path.relpath(folder)
        if relative not in (".", ".."):
            names.append(rf"(?:\./)?{re.escape(relative)}/")
    return re.compile(rf"(?<![\w./-])(?:{'|'.join(names)})[^\s'\"`;|&<>(),]*")

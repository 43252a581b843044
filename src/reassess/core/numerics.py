"""Which arithmetic a process computes in: the machine's own, or one that all x86-64-v3 share.

Numerical libraries choose their kernels when they are loaded, by the processor they find, and
kernels differ in the last bits. `fast` leaves the choice to them. `portable` takes it away, before
any of them is loaded: the same kernels, and so the same bits, on every processor with AVX2 and FMA
(the level x86-64-v3), whoever made it. What no setting reaches is done by kernels of our own
(`portable_kernels`), which are registered as soon as torch has been imported.
`reassess.core.fingerprint` shows what a process really computes.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Literal

from reassess.core.errors import ReassessError

Mode = Literal["fast", "portable"]

VARIABLE = "REASSESS_NUMERICS"  # set to `portable` for the processes that a job or a run starts
ENVIRONMENT: Mapping[str, str] = {
    # One thread: several would add up in another order.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # The only branch of MKL that is documented to agree across vendors. Its matrix products are
    # slow; `portable_kernels` replaces them.
    "MKL_CBWR": "COMPATIBLE",
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    "OPENBLAS_CORETYPE": "Haswell",  # matrix products
    "NPY_ENABLE_CPU_FEATURES": "X86_V3",  # numpy's loops: these kernels, and none above
}
# What would change the kernels again.
REMOVED = (
    "DNNL_MAX_CPU_ISA",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES",
    "ONEDNN_CPU_ISA_HINTS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
)
LIBRARIES = ("numpy", "torch")  # that read the environment when they are loaded
# Of x86-64-v3, as Linux names them, those that the kernels above use.
INSTRUCTIONS = ("avx2", "bmi1", "bmi2", "f16c", "fma", "movbe")
CPUINFO = Path("/proc/cpuinfo")
REMEDY = "set `numerics: fast` in the config, whose results depend on the kind of processor"

_fixed: list[Mode] = []  # what this process has been fixed to; empty: nothing yet


def fix(mode: Mode) -> None:
    """Let this process, and those that it starts, compute in a mode. It may be called repeatedly.

    A process that computes in `portable` already goes on so where `fast` is all that is wanted.

    Raises:
        ReassessError: the mode is `portable`, and this processor has not the instructions, or a
            library is loaded that has chosen its kernels already.
    """
    if mode == "fast":
        if os.environ.get(VARIABLE) == "portable" and not _loaded():
            _undo()
        return
    if current() == "portable":
        return
    if loaded := _loaded():
        raise ReassessError(
            f"numerics: portable: {' and '.join(loaded)} was loaded before, with kernels of this "
            "processor's own; start the job in a process of its own (`reassess job ...`), or "
            + REMEDY
        )
    require_instructions()
    os.environ.update(ENVIRONMENT)
    os.environ[VARIABLE] = "portable"
    for name in REMOVED:
        os.environ.pop(name, None)
    _fixed[:] = ["portable"]
    after_import("torch", _register_kernels)


def current() -> Mode:
    """The mode of this process."""
    return _fixed[0] if _fixed else "fast"


def require(mode: object) -> None:
    """Check that this process computes as it is to be recorded.

    A process in `portable` may make what is of `fast`, which promises nothing.

    Raises:
        ReassessError: the mode is `portable`, and this process is in another.
    """
    if mode == "portable" and current() != "portable":
        raise ReassessError(
            "numerics: portable: this process computes in `fast`; start the job by `reassess job "
            '...`, or call reassess.core.numerics.fix("portable") before numpy or torch is '
            f"imported, or {REMEDY}"
        )


def spec(mode: Mode) -> dict[str, str]:
    """What a mode adds to the specs of what is computed in it."""
    return {} if mode == "fast" else {"numerics": mode}


def _undo() -> None:
    """Give the choice of kernels back to the libraries, of which none is loaded."""
    for name, value in ENVIRONMENT.items():
        if os.environ.get(name) == value and name != "OMP_NUM_THREADS":
            del os.environ[name]
    del os.environ[VARIABLE]
    _fixed.clear()
    sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, _AfterImport)]


def _loaded() -> Sequence[str]:
    return [name for name in LIBRARIES if name in sys.modules]


def require_instructions(cpuinfo: Path = CPUINFO) -> None:
    """Check that this processor can compute in `portable`.

    Where /proc does not tell, numpy looks at the processor itself when it is loaded, and refuses.

    Raises:
        ReassessError: it is no x86-64, or lacks instructions of x86-64-v3; names them.
    """
    machine = platform.machine()
    if machine not in ("x86_64", "AMD64"):
        raise ReassessError(f"numerics: portable needs an x86-64, this is {machine}: {REMEDY}")
    flags = _field(cpuinfo, "flags")
    if flags is not None and (missing := sorted({*INSTRUCTIONS} - {*flags.split()})):
        raise ReassessError(
            "numerics: portable needs a processor of the level x86-64-v3; this one lacks "
            f"{', '.join(missing)}: {REMEDY}"
        )


def processor(cpuinfo: Path = CPUINFO) -> dict[str, int]:
    """Family, model and stepping of the first processor, as far as the system tells."""
    names = {"family": "cpu family", "model": "model", "stepping": "stepping"}
    found = {name: _field(cpuinfo, field) for name, field in names.items()}
    return {
        name: int(value) for name, value in found.items() if value is not None and value.isdigit()
    }


def _field(cpuinfo: Path, name: str) -> str | None:
    """The first value of a field; None if there is none."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        field, colon, value = line.partition(":")
        if colon and field.strip() == name:
            return value.strip()
    return None


def _register_kernels() -> None:
    from reassess.core.portable_kernels import register

    register()


class _AfterImport:
    """Calls a function when a module has been imported; finds no module itself.

    Libraries look for a module, to know whether there is one, long before anything imports it: only
    a module that has been executed counts.
    """

    def __init__(self, name: str, act: Callable[[], None]) -> None:
        self._name, self._act = name, act

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        try:
            spec = find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            self._act()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def after_import(name: str, act: Callable[[], None]) -> None:
    """Call a function when a module that is not yet loaded has been imported."""
    sys.meta_path.insert(0, _AfterImport(name, act))

"""Hiding files from a process and all that it starts, by a mount namespace of its own (Linux).

Everything is done with the system calls themselves: `unshare(1)` would have to be started before
the process, and Python has `os.unshare` from 3.12 on. Root makes the mounts with its own rights;
anyone else in a user namespace, which the kernel allows a process without further threads. In the
end the process gives up the rights by which it could look around the mounts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# unshare(2), mount(2)
NEWNS, NEWUSER = 0x00020000, 0x10000000
READ_ONLY, NO_SUID, NO_DEV, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
# prctl(2), capset(2)
BOUNDING_DROP, CAPABILITIES_3 = 24, 0x20080522
# Of capabilities(7), those by which a process undoes mounts, enters other namespaces or reads past
# both: DAC_READ_SEARCH, SYS_MODULE, _RAWIO, _CHROOT, _PTRACE and _ADMIN, MKNOD, PERFMON, BPF.
GIVEN_UP = (2, 16, 17, 18, 19, 21, 27, 38, 39)


def can_hide(hidden: Sequence[Path], visible: Sequence[Path], covered: Sequence[Path]) -> bool:
    """Whether `hide` succeeds, and leaves what is visible as usable as before: tried in a fork."""
    if sys.platform != "linux":
        return False
    before = [_rights(path) for path in visible]
    process = os.fork()
    if process == 0:
        code = 1
        try:
            hide(hidden, visible, covered)
            code = int([_rights(path) for path in visible] != before)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def _rights(path: Path) -> tuple[bool, bool]:
    return os.access(path, os.R_OK), os.access(path, os.W_OK)


def hide(hidden: Sequence[Path], visible: Sequence[Path], covered: Sequence[Path]) -> None:
    """Let this process, its later threads and its children see folders as nearly empty.

    Args:
        hidden: folders, none below another, in place of which an empty, read-only one is seen.
        visible: files and folders below them that are seen, and can be written, as before.
        covered: files and folders below visible ones that are seen empty.

    All paths are real ones (no links) and exist.

    Raises:
        OSError: the system or its administrator does not allow it.
    """
    _separate()
    _mount("none", Path("/"), flags=RECURSIVE | PRIVATE)
    opened = {path: os.open(path, os.O_PATH) for path in _outermost(visible)}
    for folder in hidden:
        _mount("tmpfs", folder, "tmpfs", NO_SUID | NO_DEV, "mode=755,size=1m")
    for path, descriptor in opened.items():
        source = Path(f"/proc/self/fd/{descriptor}")
        if source.is_dir():
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        _mount(str(source), path, flags=BIND | RECURSIVE)
        os.close(descriptor)
    for path in covered:
        if path.is_dir():
            _mount("tmpfs", path, "tmpfs", READ_ONLY | NO_SUID | NO_DEV, "mode=755,size=1m")
        else:
            _mount(os.devnull, path, flags=BIND)
    for folder in hidden:
        _mount("none", folder, flags=REMOUNT | READ_ONLY | NO_SUID | NO_DEV)
    _give_up()


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """The paths that lie below no other."""
    given = set(paths)
    return sorted(path for path in given if given.isdisjoint(path.parents))


def _separate() -> None:
    """Enter a mount namespace, in a user namespace unless the process is root enough."""
    try:
        _call("unshare", NEWNS)
    except PermissionError:
        user, group = os.geteuid(), os.getegid()
        _call("unshare", NEWNS | NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    _call(
        "mount",
        source.encode(),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _give_up() -> None:
    """Drop what is in `GIVEN_UP`, for programs that are executed from here as well."""
    for number in GIVEN_UP:
        try:
            _call("prctl", BOUNDING_DROP, number, 0, 0, 0)
        except OSError as error:
            if error.errno != errno.EINVAL:  # an older kernel lacks the last ones
                raise
    header, sets = _Header(CAPABILITIES_3, 0), (_Sets * 2)()
    _call("capget", ctypes.byref(header), sets)
    for number in GIVEN_UP:
        half, keep = sets[number // 32], ~(1 << number % 32) & 0xFFFFFFFF
        half.effective &= keep
        half.permitted &= keep
        half.inheritable &= keep
    _call("capset", ctypes.byref(header), sets)


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library.

    Raises:
        OSError: it reports one.
    """
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is None:
        raise OSError(errno.ENOSYS, f"the C library has no {name}")
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")

"""Unusual surroundings of a run: each works, or ends with a message that names what to mend.

The table in docs/environments.md states what was measured; each of its rows is tested here where
the machine allows it. Mounts of a test are in a namespace of its own.
"""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tiny import tiny_config

from reassess.core.files import sha256_file
from reassess.core.remedies import remedy

pytestmark = pytest.mark.slow
REASSESS = [sys.executable, "-m", "reassess.cli.entry"]
POOL = [*REASSESS, "job", "build-pool", "--config", "tiny.yaml"]
ROOT = os.geteuid() == 0


def allowed(*command):
    """Whether a command works here."""
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


mounts = pytest.mark.skipif(
    not (ROOT and allowed("unshare", "-m", "true")), reason="mounts need root, and a namespace"
)


def within(mount, *command):
    """A command in a namespace of its own, after the shell command `mount`."""
    return ["unshare", "-m", "sh", "-ec", f'{mount}\nexec "$@"', "sh", *command]


def limited(limit, *command):
    return ["sh", "-ec", f'ulimit {limit}\nexec "$@"', "sh", *command]


def run(command, folder, without=(), **settings):
    """Run a command in a folder; return it when it has ended."""
    environment = {name: value for name, value in os.environ.items() if name not in without}
    environment |= {name: str(value) for name, value in settings.items()}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900
    )


def pool(folder):
    """The hashes of the pool's files."""
    return {path.name: sha256_file(path) for path in (folder / "results/tiny/pool").iterdir()}


def leftovers(folder):
    """Files that are no result: temporary ones."""
    return [path for path in folder.rglob(".*.parquet*") if path.is_file()]


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    """A pool that was made in the ordinary way."""
    folder = tmp_path_factory.mktemp("ordinary")
    tiny_config(folder)
    done = run(POOL, folder)
    assert done.returncode == 0, done.stderr
    return pool(folder)


@pytest.fixture
def folder(tmp_path):
    tiny_config(tmp_path)
    return tmp_path


def the_same(done, folder, ordinary):
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert pool(folder) == ordinary


def refused(done, number, *facts):
    """It ended with the system's words for an error, what helps against it, and `facts`."""
    said = done.stderr + done.stdout
    assert done.returncode == 1, said
    assert "Traceback" not in said
    for fact in (os.strerror(number), remedy(OSError(number, "")), *facts):
        assert str(fact) in said, said


HOMES = {"missing": "/nonexistent/home", "unwritable": "/proc"}


@pytest.mark.parametrize("home", [None, *HOMES])
def test_no_home(folder, ordinary, home):
    settings = {} if home is None else {"HOME": HOMES[home]}
    the_same(run(POOL, folder, without=("HOME", "XDG_CACHE_HOME"), **settings), folder, ordinary)


@pytest.mark.parametrize("name", ["with two  spaces", "größe 日本", "a'b\"c$(id);d", "%s {x} [1]*"])
def test_names_of_folders(tmp_path, ordinary, name):
    folder = tmp_path / name
    folder.mkdir()
    tiny_config(folder)
    the_same(run(POOL, folder), folder, ordinary)


@pytest.mark.parametrize(
    "settings",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "no_SUCH.locale"},
    ],
)
def test_locales(tmp_path, ordinary, settings):
    """In the second, text is ASCII unless code says otherwise."""
    folder = tmp_path / "größe"
    folder.mkdir()
    tiny_config(folder)
    the_same(run(POOL, folder, **settings), folder, ordinary)


@pytest.mark.parametrize("charset", ["UTF-8", "ISO-8859-9"])
def test_turkish(tmp_path, ordinary, charset):
    name = f"tr_TR.{charset}"
    made = tmp_path / "locales"
    made.mkdir()
    if not allowed("localedef", "-i", "tr_TR", "-f", charset, str(made / name)):
        pytest.skip("localedef cannot make tr_TR here")
    folder = tmp_path / "ığdır"
    folder.mkdir()
    tiny_config(folder)
    the_same(run(POOL, folder, LOCPATH=made, LC_ALL=name), folder, ordinary)


def test_a_strict_umask_is_kept_where_privacy_is_wanted(folder, ordinary):
    """Folders follow it. Files can be read by whoever may enter the folder."""
    done = run(["sh", "-ec", 'umask 077; exec "$@"', "sh", *POOL], folder)
    the_same(done, folder, ordinary)
    assert (folder / "results").stat().st_mode & 0o777 == 0o700


def test_files_from_the_future(folder, ordinary):
    run(POOL, folder)
    for path in folder.rglob("*"):
        os.utime(path, (2e9, 2e9))
    the_same(run(POOL, folder), folder, ordinary)


@pytest.mark.parametrize("what", ["missing", "full", "noexec"])
def test_temporary_folders(folder, ordinary, what):
    place = folder / "temporary"
    if what == "missing":
        return the_same(run(POOL, folder, TMPDIR=place), folder, ordinary)
    if not (ROOT and allowed("unshare", "-m", "true")):
        pytest.skip("mounts need root, and a namespace")
    place.mkdir()
    options = {"full": "size=4k", "noexec": "noexec"}[what]
    fill = 'head -c 9999 /dev/zero > "$TMPDIR/x" 2> /dev/null || true' if what == "full" else ":"
    mount = f'mount -t tmpfs -o {options} none "$TMPDIR"; {fill}'
    return the_same(run(within(mount, *POOL), folder, TMPDIR=place), folder, ordinary)


@mounts
@pytest.mark.parametrize(
    "mount",
    [
        "umount /dev/shm 2> /dev/null || true; mount -t tmpfs -o ro none /dev/shm",
        "mount -t tmpfs none /proc",
    ],
    ids=["no shared memory", "no /proc"],
)
def test_missing_mounts(folder, ordinary, mount):
    the_same(run(within(mount, *POOL), folder), folder, ordinary)


def test_few_open_files_and_one_core(folder, ordinary):
    the_same(run(limited("-n 64", *POOL), folder), folder, ordinary)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(folder, ordinary, closed):
    done = run(["sh", "-c", f'exec "$@" {closed}', "sh", *POOL], folder)
    the_same(done, folder, ordinary)


def test_a_reader_that_leaves_early(folder):
    command = (
        f"{sys.executable} -m reassess.cli.entry grid methods | head -n 1; echo ${{PIPESTATUS[0]}}"
    )
    done = run(["bash", "-c", command], folder)
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr
    assert done.stdout.splitlines()[-1] in ("0", "141", "1")


@mounts
def test_a_full_disk(folder):
    target = folder / "results/tiny/pool"
    target.mkdir(parents=True)
    # What was left there is listed before the mount goes.
    mount = f'''mount -t tmpfs -o size=8k none "{target}"
set +e; "$@"; code=$?; ls -A "{target}" | sed 's/^/left /'; exit $code'''
    done = run(within(mount, *POOL), folder)
    refused(done, errno.ENOSPC, "results/tiny/pool")
    assert not [line for line in done.stdout.splitlines() if line.startswith("left .")]


def test_a_limit_on_the_size_of_files(folder):
    refused(run(limited("-f 1", *POOL), folder), errno.EFBIG, "results/tiny/pool")
    assert not leftovers(folder)


def test_an_exceeded_quota(folder):
    """As the kernel reports it when a file is written out."""
    code = """
import errno, os, sys
def over_quota(descriptor):
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
os.fsync = over_quota
from reassess.cli.main import act
sys.exit(act(sys.argv[1:]))
"""
    done = run([sys.executable, "-c", code, *POOL[3:]], folder)
    refused(done, errno.EDQUOT, "results/tiny")
    assert not leftovers(folder)


@mounts
def test_a_read_only_folder(folder):
    results = folder / "results"
    results.mkdir()
    mount = f'mount --bind "{results}" "{results}"; mount -o remount,bind,ro "{results}"'
    refused(run(within(mount, *POOL), folder), errno.EROFS, "results/tiny")


# May read everything, as Python may lie in a folder of root's, and write what is its own.
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
          "--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search",
          "--bounding-set", "-all,+dac_read_search")  # fmt: skip


@pytest.mark.skipif(not (ROOT and allowed(*NOBODY, "true")), reason="another user needs root")
def test_another_user(ordinary):
    with tempfile.TemporaryDirectory(prefix="reassess-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # pytest's own folders are closed to others
        tiny_config(folder)
        done = run([*NOBODY, *POOL], folder, HOME="/nonexistent")
        refused(done, errno.EACCES, "results/tiny")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 65534, 65534)
        the_same(run([*NOBODY, *POOL], folder, HOME="/nonexistent"), folder, ordinary)


@mounts
def test_a_whole_run_in_hostile_surroundings(tmp_path):
    """Everything at once that works alone, from nothing to the report."""
    folder = tmp_path / "größe und 日本"
    folder.mkdir()
    tiny_config(folder)
    mount = "umount /dev/shm 2> /dev/null || true; mount -t tmpfs -o ro none /dev/shm; umask 077"
    command = within(mount, *REASSESS, "run", "--config", "tiny.yaml", "--cores", "1")
    command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    strict = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = run(command, folder, without=("HOME", "XDG_CACHE_HOME"), TMPDIR="/nonexistent", **strict)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert "cells    2 of 2 done" in done.stdout
    for name in ("report.html", "figures/capacity.pdf", "bundle/scores.parquet", "claims.html"):
        assert (folder / "results/tiny" / name).stat().st_size > 0, name
    claims = (folder / "results/tiny/claims.json").read_text(encoding="utf-8")
    assert json.loads(claims)

"""Other processors, emulated: the same operations, weights and tokens as the committed ones.

`make test-portable` runs this; it needs Debian's qemu-user, which emulates instructions and what a
processor says of itself, up to AVX2. The machine it runs on adds a processor of its own: the same
hashes are compared in `tests/invariant/test_portable.py`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from small_trainings import EXPECTED, PROGRAM, differences

EMULATOR = shutil.which("qemu-x86_64")
CPUS = ("EPYC", "Haswell", "Skylake-Client-v1")  # AMD Zen, and two of Intel

pytestmark = pytest.mark.skipif(
    EMULATOR is None, reason="qemu-x86_64 is not installed: apt-get install qemu-user"
)


def on(cpu, *arguments):
    """Run the program on a processor; return what it prints."""
    command = [EMULATOR, "-cpu", cpu, sys.executable, str(PROGRAM), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def expected():
    return json.loads(EXPECTED.read_text())


def test_operations_and_one_family_on_an_amd():
    found = on("EPYC", "--family", "llava")
    assert len(found["trainings"]) == 5 and differences(found, expected()) == []


@pytest.mark.parametrize("cpu", ["Haswell"])
def test_operations(cpu):
    assert differences(on(cpu, "--family", "none"), expected()) == []


@pytest.mark.slow
@pytest.mark.parametrize("cpu", CPUS)
def test_everything(cpu):
    found = on(cpu)
    assert found.keys() == expected().keys() and differences(found, expected()) == []


def test_a_processor_without_avx2_is_refused():
    """Not computed otherwise. Its own /proc/cpuinfo is not emulated: numpy looks at the processor."""
    command = [EMULATOR, "-cpu", "Nehalem", sys.executable, str(PROGRAM), "--family", "none"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and not done.stdout

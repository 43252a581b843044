"""The bits of portable numerics are the committed ones, on whatever processor this is."""

import json
import subprocess
import sys

import pytest

from reassess.core import numerics
from reassess.core.fingerprint import fingerprint
from reassess.core.project import ROOT

sys.path.insert(0, str(ROOT / "tests" / "portable"))
from small_trainings import EXPECTED, PROGRAM, differences

pytestmark = pytest.mark.skipif(
    numerics.current() != "portable", reason="this processor has not the instructions"
)
COMMITTED = json.loads(EXPECTED.read_text())


def test_operations():
    assert differences({"operations": fingerprint()["operations"]}, COMMITTED) == []


@pytest.mark.slow
def test_trainings():
    """In a process of their own, as in an emulator."""
    done = subprocess.run([sys.executable, str(PROGRAM)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout)
    assert found.keys() == COMMITTED.keys() and differences(found, COMMITTED) == []


def test_another_hash_is_named():
    operations = {**COMMITTED["operations"], "exp": "0" * 12}
    assert differences({"operations": operations}, COMMITTED) == ["exp"]

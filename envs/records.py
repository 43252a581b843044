"""Add wheels to envs/records.json: digests for `reassess doctor` to compare installed files with.

    python envs/records.py WHEEL...

Give it wheels whose SHA-256 stands in a lock of this folder, such as the folder of `make
wheelhouse`: any other is refused, since a digest of an unknown file would prove nothing. Add its
hash to the lock first.
"""

import json
import re
import sys
from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.core.files import write_json
from reassess.core.provenance import read_wheel

HERE = Path(__file__).parent
RECORDS = HERE / "records.json"


def main(paths: list[Path]) -> None:
    """Add each wheel's digest: by distribution and version, digest to file name and hash.

    Raises:
        ReassessError: a file is no sound wheel, or no lock has its hash.
    """
    locked = {
        one
        for lock in HERE.glob("*.txt")
        for one in re.findall(r"sha256:([0-9a-f]{64})", lock.read_text())
    }
    records = json.loads(RECORDS.read_text()) if RECORDS.exists() else {}
    for path in paths:
        wheel = read_wheel(path)
        if wheel.sha256 not in locked:
            raise ReassessError(
                f"{path}: no lock in {HERE} has its hash, sha256:{wheel.sha256}; "
                "add it to the lock first"
            )
        versions = records.setdefault(wheel.name, {})
        versions.setdefault(wheel.version, {})[wheel.record] = {
            "wheel": wheel.file,
            "sha256": wheel.sha256,
        }
    write_json(RECORDS, records)


if __name__ == "__main__":
    try:
        main([Path(name) for name in sys.argv[1:]])
    except ReassessError as error:
        sys.exit(str(error))

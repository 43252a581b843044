"""Symbolic comparison by math-verify, in a worker process that can be ended: a time limit that works in any thread."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import IO

_lock = threading.Lock()
_worker: subprocess.Popen[str] | None = None


def equal_in_mathematics(extracted: str, answer: str, seconds: float) -> bool:
    """Return whether math-verify calls the two equal; False if it cannot tell in time, or fails in any way.

    The worker is started at the first call and again after one that overran. Text is parsed as LaTeX, never as code.
    """
    global _worker  # noqa: PLW0603 - one worker a process, kept between calls
    with _lock:
        if _worker is None or _worker.poll() is not None:
            _worker = subprocess.Popen(
                [sys.executable, "-m", "reassess.verifier.math_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            if _ask(_worker, "ready?", "", 60.0) is None:
                return False
        found = _ask(_worker, extracted, answer, seconds)
        if found is None:
            _worker.kill()
            _worker.wait()
            _worker = None
        return bool(found)


def _ask(worker: subprocess.Popen[str], extracted: str, answer: str, seconds: float) -> bool | None:
    """Return the worker's word, or None if none came in time."""
    heard: list[str] = []
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(json.dumps([extracted, answer]) + "\n")
        worker.stdin.flush()
    except OSError:
        return None
    listener = threading.Thread(target=_listen, args=(worker.stdout, heard), daemon=True)
    listener.start()
    listener.join(seconds)
    return heard[0].strip() == "true" if heard and heard[0] else None


def _listen(stream: IO[str], heard: list[str]) -> None:
    heard.append(stream.readline())


def _work() -> None:
    """Answer questions on standard input, a line each, until it ends."""
    from math_verify import parse, verify

    for line in sys.stdin:
        extracted, answer = json.loads(line)
        try:
            gold, found = (
                parse(f"${answer}$", parsing_timeout=None),
                parse(f"${extracted}$", parsing_timeout=None),
            )
            equal = bool(verify(gold, found, timeout_seconds=None))
        except Exception:
            equal = False  # what cannot be parsed is wrong
        print(json.dumps(equal), flush=True)


if __name__ == "__main__":
    _work()

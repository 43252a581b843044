"""The errors whose message is shown to the user, and the wording for unknown names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ReassessError(Exception):
    """An error for the user. The command line prints its message, no traceback, and exits 1."""


class Interrupted(ReassessError):  # noqa: N818 - nothing went wrong
    """A job was requested to stop, and its next run resumes there.

    The command line exits with `RESUME_ME`.
    """


class AlreadyRecorded(ReassessError):  # noqa: N818 - the name says what differs
    """A failure of which a job's own process has left the record (`failed.json`) already."""


RESUME_ME = 75  # EX_TEMPFAIL of sysexits.h: a temporary failure, to be tried again


def nearest(name: object, allowed: Iterable[object]) -> str:
    """`"; did you mean 'x'?"` with the closest of `allowed`; an empty string if none is close."""
    close = get_close_matches(str(name), [str(choice) for choice in allowed], n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown(kind: str, name: object, allowed: Iterable[object]) -> str:
    """The message for a name that is not among those allowed."""
    choices = [str(choice) for choice in allowed]
    allowed_names = ", ".join(choices) or "none"
    return f"unknown {kind} {str(name)!r} (allowed: {allowed_names}){nearest(name, choices)}"

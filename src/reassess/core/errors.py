"""The one error that reaches a person: it names the thing, what is allowed, and the nearest valid name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ReassessError(Exception):
    """A message for a person. The command line prints it without a traceback and exits 1."""


class Interrupted(ReassessError):  # noqa: N818 - nothing went wrong
    """A job was asked to stop and can go on where it stopped. The command line exits with `RESUME_ME`."""


RESUME_ME = 75  # what sendmail's world calls a temporary failure: try again


def nearest(name: object, allowed: Iterable[object]) -> str:
    """Return `"; did you mean 'x'?"` for the closest of `allowed`, or an empty string if none is close."""
    close = get_close_matches(str(name), [str(choice) for choice in allowed], n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown(kind: str, name: object, allowed: Iterable[object]) -> str:
    """Return the sentence for a name that is not among those allowed."""
    choices = [str(choice) for choice in allowed]
    return f"unknown {kind} {str(name)!r} (allowed: {', '.join(choices) or 'none'}){nearest(name, choices)}"

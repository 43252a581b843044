"""The one verifier: reward in training and score in evaluation. It needs no other room but `core`.

`grade` extracts an answer from a completion and verifies it. Importing this package imports nothing
heavy; math-verify runs in a worker process that the first symbolic comparison starts.
"""

from reassess.verifier.grading import Verdict, grade, grade_all

VERSION = 2  # raised when a verdict changes: it is part of the spec of what verdicts decide

__all__ = ["VERSION", "Verdict", "grade", "grade_all"]

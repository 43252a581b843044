"""`reassess verify`: whether figures, scores and training of a bundle are reproduced.

Each level names what differs, and fails if anything does.
"""

from reassess.verify.figures import verify_figures
from reassess.verify.report import VerifyReport
from reassess.verify.scores import verify_scores
from reassess.verify.training import verify_train

__all__ = ["VerifyReport", "verify_figures", "verify_scores", "verify_train"]

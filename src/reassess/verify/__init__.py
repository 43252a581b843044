"""`reassess verify`: can figures, scores, training be had again? Each level says what differs, and fails if anything does."""

from reassess.verify.figures import verify_figures
from reassess.verify.report import Report
from reassess.verify.scores import verify_scores
from reassess.verify.training import verify_train

__all__ = ["Report", "verify_figures", "verify_scores", "verify_train"]

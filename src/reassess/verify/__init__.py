"""`reassess verify`: whether a bundle is consistent, and whether it is reproduced.

Each level names what differs, and fails if anything does.
"""

from reassess.verify.contents import verify_contents
from reassess.verify.figures import verify_figures
from reassess.verify.overall import Verification, verify_all
from reassess.verify.report import VerifyReport
from reassess.verify.scores import verify_scores
from reassess.verify.training import verify_train

__all__ = [
    "Verification",
    "VerifyReport",
    "verify_all",
    "verify_contents",
    "verify_figures",
    "verify_scores",
    "verify_train",
]

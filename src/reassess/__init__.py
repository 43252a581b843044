"""A reproducible benchmark suite that compares post-training by SFT and by RL."""

import os

from reassess.core.compat import install_torchvision_hook

__version__ = "0.1.0"

install_torchvision_hook()
if os.environ.get("REASSESS_NUMERICS") == "portable":  # the process that started this one wants it
    from reassess.core.numerics import fix

    fix("portable")

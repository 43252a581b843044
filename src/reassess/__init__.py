"""Does SFT or RL help here, and can the figure be trusted: a reproducible benchmark suite for post-training."""

from reassess.core import compat as torchvision_shim

__version__ = "0.1.0"

torchvision_shim.install()

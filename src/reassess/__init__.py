"""A reproducible benchmark suite that compares post-training by SFT and by RL."""

from reassess.core.compat import install_torchvision_hook

__version__ = "0.1.0"

install_torchvision_hook()

"""Does SFT or RL help here, and can the figure be trusted: a reproducible benchmark suite for post-training."""

__version__ = "0.1.0"

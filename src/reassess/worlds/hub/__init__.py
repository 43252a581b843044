"""The world of public checkpoints and data sets, pinned to commits of the hub."""

"""Frozen pools, traces by rejection sampling, frozen rows, prepared rows, and the check that training and test are disjoint."""

"""Pools, traces, frozen rows, and the check that training and test are disjoint."""

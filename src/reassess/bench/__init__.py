"""Measurements of speed, each a ratio against a named baseline timed in the same run."""

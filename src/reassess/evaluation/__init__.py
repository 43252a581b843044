"""Scoring checkpoints: an lm-eval task pack, one YAML a benchmark, and the runner that scores all of them in one process."""

"""Scoring checkpoints: lm-eval task packs, one YAML a benchmark, and the runner that scores them."""

"""Scoring checkpoints: lm-eval task packs (one YAML a benchmark), and what runs them."""

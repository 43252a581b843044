"""What methods share: preprocessed rows, checkpoints, probes, histories, resuming, and trainers."""

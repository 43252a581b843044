"""Slurm and Kubernetes: submission, status, and checks before anything is submitted."""

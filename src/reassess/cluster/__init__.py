"""Slurm and Kubernetes: doctor, submission, status."""

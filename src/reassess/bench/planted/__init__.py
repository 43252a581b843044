"""Copies of benchmark items planted among training rows, to measure which of them are found."""

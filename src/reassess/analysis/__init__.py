"""Reading a bundle: statistics, claims and tables."""

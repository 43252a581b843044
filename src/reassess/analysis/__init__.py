"""The bundle, statistics, claims and tables."""

"""A world is a pool of data, models and benchmarks that belong together."""

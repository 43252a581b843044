"""Archives of bundles, their merging, and the data dictionary."""

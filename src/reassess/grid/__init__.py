"""A config, resolved: cells, files, specs and costs."""

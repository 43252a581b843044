"""Stand-ins for public models and data sets, with made-up content."""

"""Bundles as files: collected from cells, packed into archives, and merged."""

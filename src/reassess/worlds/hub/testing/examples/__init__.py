"""One module for each data source: rows with made-up content in the source's own layout.

A module has a function `row(number)` and, where the source keeps its images in an archive, a
function `archive(number)` with the archive's members for that row. It is found by its name.
"""

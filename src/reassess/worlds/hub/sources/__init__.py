"""One adapter a public data set, found by its file name."""

"""One file a method. A new file here, or in a folder named by `plugins:`, is found by itself."""

"""The typed config: its models, how files of it are read, and the default."""

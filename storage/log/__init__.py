"""What is committed: the log, its index, and how a directory is opened."""

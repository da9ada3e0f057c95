"""What the log holds, in memory as Arrow: the newest rows of a tablet in use."""

"""What goes, and what stays: drops, orphans, retention and killed jobs, seen by real clients."""

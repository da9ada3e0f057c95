"""Background work: flush, eviction, retention."""

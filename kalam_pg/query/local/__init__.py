"""Small questions, answered in this process: an executor over the typed tree and rows as tuples."""

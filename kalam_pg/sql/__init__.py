"""From SQL text to our own typed tree, and from the tree to DataFusion, sqlite and Python."""

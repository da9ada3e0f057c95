"""PostgreSQL's regular expressions: `search.compiled` makes a pattern, which finds its matches."""

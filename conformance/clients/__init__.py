"""Programs of our own over the tools that people use, run beside PostgreSQL: the same output on both."""

"""Rows of PostgreSQL's own catalogues, made from a snapshot."""

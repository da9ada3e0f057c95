"""Benchmarks: the same statements, by the same client, against PostgreSQL 15 and this server.

`python -m conformance.bench` runs them; see conformance/README.md.
"""

"""The composition root: listeners, loop, TLS, limits, shutdown."""

"""PostgreSQL's frontend/backend protocol, without I/O."""

"""A connection's protocol flows: start-up, simple and extended queries, the quick way, portals."""

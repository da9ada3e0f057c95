"""Histories of random transactions over several sessions, searched for what an isolation level forbids."""

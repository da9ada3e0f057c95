"""Mutated messages: whatever bytes a client sends, the answer is the protocol's, and no internal error."""

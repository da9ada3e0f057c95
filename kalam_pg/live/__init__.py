"""Subscriptions: the hub and what reads it."""

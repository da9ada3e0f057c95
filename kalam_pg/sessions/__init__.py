"""Per-connection state: settings, roles, portals, transactions."""

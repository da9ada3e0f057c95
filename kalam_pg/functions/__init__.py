"""Functions, operators, casts and aggregates: one row per overload."""

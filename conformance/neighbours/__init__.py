"""What one client can do to the others: attacks by name, and a victim that measures beside each."""

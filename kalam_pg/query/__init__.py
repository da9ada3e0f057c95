"""Plans, scans, data changes, transactions and the committer."""

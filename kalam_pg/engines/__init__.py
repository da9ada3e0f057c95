"""The engines: DataFusion in worker processes, and sqlite for the catalogue."""

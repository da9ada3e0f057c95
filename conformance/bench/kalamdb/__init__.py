"""KalamDB's own list of benchmarks, by its names: this server beside PostgreSQL 15 and what KalamDB said.

    python -m conformance.bench.kalamdb [--only WORD] [--rounds 5] [--write]

Every scenario is one thing that a client does and waits for; told is the median of what it takes, in ms, and
PostgreSQL's mean processor time for one of ours (both in ms in brackets): on a machine that others use, too,
that is the ratio to believe. Both servers get the same texts from the same client, in turns. KalamDB's
figures are the medians that it published of 0.4.3-rc.4 (Rust, ten cores of an M1 Pro, over HTTP and
WebSocket): what the names mean is our reading.

`published` is the list, `statements`, `many` and `live` what its scenarios do, `run` takes the turns.
"""

"""The soak: many clients and many faults against one real server, for as long as one likes.

    python -m conformance.soak --seed 7 --minutes 20

`actors` is what clients do, `faults` what befalls the server, `ledger` what must be true afterwards,
`invariants` what is compared when all clients are gone, `report` what is told. `run` puts them together.
"""

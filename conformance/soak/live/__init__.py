"""The live soak: followers of tables that are killed and cut off, and a ledger of what they were told.

    python -m conformance.soak.live --seed 7 --kills 1000
    python -m conformance.soak.live --seed 7 --subscribes 10000

Every transaction is in a `chronicle`, made by `authors`; a `follower` is a process that keeps a journal of
what it is told and goes on from it when it was killed; a `reading` compares a journal with the chronicles:
what was lost, told twice, or out of order. `kills` is what befalls them all, `run` puts it together.
"""

"""A year in the life of some users, sped up: what they see is what PostgreSQL shows, and nothing gets slower.

    python -m conformance.soak.year --seed 7 --minutes 30 --users 100 --weeks 52

Each user writes messages, edits and deletes them and moves read marks, in transactions that are run on both
servers, statement by statement the same. Meanwhile tablets are flushed by their policies, compacted and
trimmed, and the server is stopped, or killed in the middle of it all, and started again. The server's clock
runs so fast that a week of it takes as long as a week of the soak does (`clock`), so retention is that of
days and months.

`life` is what users do, `people` how it is done and done again after a crash, `questions` what is asked of
both servers, `pulse` one client that measures single INSERTs beside it all, `upkeep` segments and bytes on
the disk, `verdict` what must be true of all that was measured. `run` puts them together.
"""

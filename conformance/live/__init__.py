"""Drivers that follow a table through lost links: each must end with exactly what the table has.

    python -m conformance.live --seed 7 --faults 300

`programs/` has the same small program for each driver; the how-to pages show their code. `drivers` says
how each is run, `link` is what is cut, `run` puts a server, writers, programs and faults together.
"""

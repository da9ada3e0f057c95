"""Damaged files: whoever asks is answered right, or told XX001; other tablets go on; `kalam check` finds it.

    python -m conformance.damage --seed 1 --rounds 32

A round copies a prepared directory, damages about half of its tablets, each in one place (`damages`), lets
`kalam check` look, starts a server and asks every tablet everything (`asking`). Half of the rounds have a
log that was trimmed: what is only in segments cannot be made up for.
"""

"""The rules by which a tablet's segments change, as a program that can break them.

    python -m conformance.model --schedules 100000 --seed 1     all rules: nothing may be wrong
    python -m conformance.model --without counts_kept           what goes wrong without one (or `each`)

`world` is one tablet: its history (what everybody should see), its log, segments and manifests, who is at
work on them, and what befalls its files: whoever looks sees what they should, or is told. A schedule is a
list of small steps; what cannot be done is skipped, so that any part of a schedule is one too, and a
failing one can be made short (`schedules`). A rule of `storage.cold` is changed together with this.
"""

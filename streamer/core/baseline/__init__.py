"""Baselines: what they hold, and how the rows of a training table become one.

::

    chunks ── survey ── kinds, cells ─┐                 first pass: what each column holds, where to cut it
       └───────────────── tally ──────┴─ build ── model  second pass: exact counts and moments
                            └─ timeline, dispersion ┘    steps of time, and how blocks of them vary

``model`` is the format, ``learn`` makes one from live rows.
"""

"""Decoding: bytes to columns, and nothing but ``InvalidRecord`` on any bytes.

::

    record ── capture ──> envelope ── names ──> key
                              │
                              └─ payload ──> text ── rows ──> cells ── sides ──> Columns

``batch`` reads a poll's records into captures by key; ``sides`` reads the captures of one key into
columns, plain CSV in bulk.
"""

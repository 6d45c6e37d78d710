"""The service: read, decode, fold, decide, snapshot, publish, in this order, for months.

::

    source ── Intake ──> engine ──> outbox ──seal──┐
                                                   ├─ keeper ── store: snapshot, then its pointer
    positions ── source.state() ───────────────────┘     │ commit
                                                          v
                                        publisher of each sink ──> acknowledged, dropped from the next

``loop`` is the whole of it, ``keeper`` takes snapshots, ``publisher`` empties the outbox. Nothing is
published before the snapshot that holds it is durable, so that a crash at any instruction repeats
effects, with the same ids and bodies, and never loses or invents one. Only what ``reporter`` tells of
the service itself goes past all that, straight to the publishers.
"""

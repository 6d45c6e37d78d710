"""The core: decides, and touches nothing outside; synchronous, deterministic, given the time.

::

    engine ── decode ──> fold ──> track (panes, windows) ──> endpoint ──> actions
       │      captures   parts    watermarks, duplicates        │
       │                                                         ├─ statistics ─ rules ──> findings
       │                                                         ├─ detectors (panes) ───> findings
    snapshot: an endpoint's state as one blob                    ├─ alerts ─ words ──> incidents
                                                                 └─ documents
    baseline ── layout (cells) ── profile (exact sums)

``types`` holds what crosses a seam, ``settings`` what the core is told, ``errors`` the tree of what
may go wrong.
"""

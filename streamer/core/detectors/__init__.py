"""Detectors: what is held against the baseline pane by pane, sequentially.

::

    Layout ── scores ──> directions a feature may move in
                │
           alternatives ── tempering ──> what a row is worth for each, weather taken into account
                │
              bank ── one step a pane ──> evidence per feature; an alarm when its sum passes the threshold
                │
              watch ── the bank of one key, its panes in order, and what it says when a window ends

Named detectors, where an operator chose some::

    panes, their sample ──> roster ──> post ──> named: one of river's, on one feature
                              │
                              └──────> anomalies ──> forest: half-space trees, on whole rows
"""

"""How good detection is: false alarms a month and records to an alarm, with public seeds.

::

    laws ── 40 made-up features, each a table of values and chances, and the ways they drift
      └── endpoint ── a baseline of 10,000 rows, panes of 50 rows drawn from the laws
            └── measures ── months without drift, and delays with one drifting feature

``make bench-detection`` prints a table and writes JSON.
"""

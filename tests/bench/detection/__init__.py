"""How good detection is: false alarms a month and records to an alarm, with public seeds.

::

    laws, population ── 40 features, made up or of the open data, and the ways they drift
      └── endpoint ── a baseline of 10,000 independent rows, panes of 50 rows drawn from the laws
            └── measures ── months without drift, and delays with one drifting feature
    sources, series ── what stands in another state every hour: tilted laws, and records of the open data
      └── traffic ── seven families of endpoints whose rows of an hour or a day hang together
            └── timed ── a baseline of 28 days and panes of the 30 days after it, drawn as counts
                  └── clustered ── alerts a month without drift, and delays with one drifting feature
    bench ── all of it in one setting ── report ── a table with the goals

``make bench-detection`` prints a table and writes JSON where asked. The open data are not part of the
project: without their folder what needs them is left out, and the table says so.
"""

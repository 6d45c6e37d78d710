"""streamer watches machine-learning models in production while they serve. This is the map of the house.

::

    adapters/kinesis ─┐                                                     ┌─ adapters/sqlite, opensearch
    adapters/files  ──┼─> core/decode ─> core/fold ─> core/endpoint ────────┼─ adapters/sns, eventbridge
    stdin ────────────┘   (bytes to      (rows to     (panes to windows,    ├─ adapters/jsonlines
                           columns)       parts)       rules, alerts)       └─ adapters/terminal

    service/ (live) and pump (files) read, fold, decide, deliver; core/ is given the time and does no I/O

    __main__   the command line; exit codes        commands/   one file per command
    app/       builds the parts of a run           summary     what a run comes to
    config/    TOML and environment, checked       ports       Source, LiveSource, Sink, SnapshotStore, Clock …
    pump       the loop over files                 service/    the loop for months: snapshot, then publish
    retry      back-off, the only one              delivery    calls of a few entries, each with its own answer
    metrics    every Prometheus series, once       watchdog    whether the loop turns
    drain      signals and the deadline            producer/   writing captures to a stream
    log        structlog                           progress    a bar, or a line every ten seconds
    printable  text from outside, made harmless
    core/      decides: pure and synchronous       adapters/   one outside system each
    testing/   fakes of the ports, a Kinesis emulator
    bench/     what a record costs                 demo/       real flights through the real parts
    dashboards/  views for OpenSearch Dashboards, generated, checked, installed

Imports go one way: ``__main__ > commands > (demo | bench) > app > config > (pump | service | adapters |
dashboards | testing) > (delivery | drain | log | metrics | printable | producer | progress | retry | summary |
watchdog) > ports > core``.
"""

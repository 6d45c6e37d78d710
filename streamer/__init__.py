"""streamer watches machine-learning models in production while they serve. This is the map of the house.

::

    capture files, ─┐                                                     ┌─ adapters/sqlite
    stdin           ├─> core/decode ─> core/fold ─> core/endpoint ────────┼─ adapters/jsonlines
    (adapters/files)┘   (bytes to      (rows to     (panes to windows,    └─ adapters/terminal
                         columns)       parts)       rules, alerts)

    one loop (pump) reads, folds, decides, delivers; core/ is given the time and does no I/O

    __main__   the command line; exit codes        commands/   one file per command
    app        builds the parts of a run           summary     what a run comes to
    config/    TOML and environment, checked       ports       Source, Sink, Clock
    pump       the loop                            adapters/   one outside system each
    log        structlog                           progress    a bar, or a line every ten seconds
    core/      decides: pure and synchronous       testing/    fakes of the ports
    bench/     what a record costs                 demo/       real flights through the real engine

Imports go one way: ``__main__ > commands > (demo | bench) > app > config > (pump | adapters) >
(log | progress | summary) > ports > core``.
"""

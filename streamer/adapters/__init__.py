"""Adapters: one outside system per file, each behind a port of ``streamer.ports``.

They await and do I/O, decide nothing, and translate every foreign exception at their edge to the
tree in ``streamer.core.errors``. They do not import one another.
"""

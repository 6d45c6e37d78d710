"""Dashboards: what OpenSearch Dashboards shows, made from one source, checked without a server, installed.

::

    core.index.fields ─> objects ─> panels ─> generate ─> dashboards/streamer.ndjson ─> install
                                                 └─> check: as careful as no server is

A saved object that is wrong is taken by a server without a word and is broken in the browser, so
everything that can be known beforehand is checked here.
"""

"""Configuration: one TOML file and ``STREAMER_`` variables, checked whole before anything starts.

::

    file ─> tomllib ─┐                 ┌─> problems: every one, with its line or variable -> ConfigError
    variables ───────┴─> model, checks ┴─> Config ─> EngineSettings, effective text

``model`` holds the keys, their bounds and meanings; ``checks`` what spans several keys; ``load``
reads; ``effective`` writes what holds; ``table`` makes the README's table; ``template`` a first file.
"""

"""Puts the parts together: from a configuration to baselines, engine, source, sinks, and a run.

``replay`` is one run over files of the past, ``backtest`` what it would have raised beside what was raised.
"""

"""Baselines: what they hold (``model``), how rows become one (``build``), how blocks vary (``dispersion``)."""

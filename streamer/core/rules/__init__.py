"""Rules: thresholds on closed windows, each one file, each with two keys.

::

    feature   missing · wild · distance (psi, ks … l_infinity) · shift (mean_shift) · shares (unseen, outside)
    variant   volume · silence, on ``history``: the same weekday and hour of the past weeks
    endpoint  unreadable

A rule gives a ``Finding`` whose state says which key turned: ``BROKEN`` both, ``NOT_ENOUGH`` large
but not significant, ``SMALL`` significant but not large. ``judge`` asks the rules on features.
"""

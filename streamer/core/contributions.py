"""Contributions: each feature's part in an incident, at its worst so far."""

from datetime import datetime

from streamer.core.eventtime import as_datetime
from streamer.core.incident import Contribution
from streamer.core.rounding import rounded
from streamer.core.types import Finding


def merged(before: list[Contribution], findings: list[Finding]) -> list[Contribution]:
    """The worst window of each feature so far, heaviest first.

    Parameters
    ----------
    before : list of Contribution
        So far.
    findings : list of Finding
        Broken ones of the windows or panes that end now.
    """
    worst = {(c.feature, c.variant, c.model_version): c for c in before}
    for f in findings:
        who = (f.feature, f.key.variant, f.key.version)
        known = worst.get(who)
        if known is None or f.weight > known.weight:
            since = as_datetime(f.since_at) if known is None else min(known.since, as_datetime(f.since_at))
            worst[who] = _contribution(f, since=since)
    return sorted(worst.values(), key=lambda c: (-c.weight, c.feature, c.variant, c.model_version))


def _contribution(finding: Finding, since: datetime) -> Contribution:
    return Contribution(
        feature=finding.feature,
        variant=finding.key.variant,
        model_version=finding.key.version,
        rule=finding.rule,
        since=since,
        live=rounded(finding.live),
        expected=rounded(finding.expected),
        size=rounded(finding.size),
        unit=finding.unit,
        weight=rounded(finding.weight),
        rows=finding.rows,
        words=finding.words,
    )

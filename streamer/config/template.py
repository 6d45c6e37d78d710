"""The configuration ``streamer init`` writes: the essentials, and the rest as comments to try."""

from streamer.config.forms import toml_text

_TEMPLATE = """\
# What streamer watches, and how. Every key that is not here has a default that is right for most:
# "streamer validate" shows them all. Durations are written "10 s", "5 min", "1 h", "7 d".

[[endpoint]]
name = {name}
{baseline}
{drift}

# window = "5 min"              # what is summarised and judged as one
# time_zone = "Europe/Paris"    # where the users live: hours and weekdays are told in it
# baseline_is_traffic = true    # the baseline's rows are all of the traffic of its time

# [endpoint.rules]              # on by default: missing, wild, volume, unreadable, silence
# psi = 0.2                     # a threshold on every feature, if you want one
# minimum_rows = 100            # fewer rows in a window are insufficient data

# [endpoint.alerts]
# hold = "10 min"               # a rule must stay broken this long before its alert fires
# keep_firing = "15 min"        # and hold again this long before it is resolved

# [[endpoint.version]]          # a model version, from the time it took over
# id = "2"
# from = 2026-11-01T00:00:00Z
# baseline = "baselines/version-2"

# [defaults]                    # the same keys as an endpoint's, for every endpoint
# window = "10 min"

# [index]                       # keep the documents in an SQLite file, too
# sqlite = "streamer.sqlite"
# retention = "90 d"
"""
_DRIFT = 'false_alarms = "1 per month"     # drift of any feature is looked for, and so many false alarms are borne'
_LEARN = '# baseline = "baselines/{name}"   # without one it is learned from the first traffic'


def template(name: str, baseline: str | None) -> str:
    """Text of a first configuration for one endpoint.

    Parameters
    ----------
    name : str
        The endpoint's name.
    baseline : str or None
        Its baseline's folder or file, relative to the configuration's folder.
    """
    line = f"baseline = {toml_text(baseline)}" if baseline is not None else _LEARN.format(name=name)
    # A baseline learned from the first rows knows no weather: there it is for whoever asks.
    drift = _DRIFT if baseline is not None else f"# {_DRIFT}"
    return _TEMPLATE.format(name=toml_text(name), baseline=line, drift=drift)

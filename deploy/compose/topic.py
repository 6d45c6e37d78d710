"""Makes the topic that ``streamer.toml`` names on an emulated AWS; one that is there is left as it is."""

import sys

import botocore.session

TOPIC = "model-alerts"


def make(url: str) -> None:
    """Make the topic.

    Parameters
    ----------
    url : str
        Address of the emulator.
    """
    botocore.session.get_session().create_client("sns", endpoint_url=url).create_topic(Name=TOPIC)


if __name__ == "__main__":
    make(sys.argv[1])

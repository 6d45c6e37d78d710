"""``python -m tests.bench.detection``: a table on standard output, JSON where asked."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from tests.bench.detection.bench import FULL, SMALL, Clustered, Independent, bench
from tests.bench.detection.report import lines


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def kept(
    parts: Iterable[Independent | Clustered], found: list[Independent | Clustered]
) -> Iterator[Independent | Clustered]:
    """Pass parts on, and keep them."""
    for part in parts:
        found.append(part)
        yield part


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="False alarms and delays of the default detection.")
    parser.add_argument("--small", action="store_true", help="about 2 minutes: a tenth of everything")
    parser.add_argument("--data", type=Path, help="folder of the open data; without it what needs them is left out")
    parser.add_argument("--seed", type=int, default=FULL.seed)
    parser.add_argument("--json", type=Path, help="file for the figures")
    asked = parser.parse_args()
    setting = msgspec.structs.replace(SMALL if asked.small else FULL, seed=asked.seed)
    found: list[Independent | Clustered] = []
    for line in lines(kept(bench(setting, asked.data), found)):
        say(line)
    if asked.json:
        asked.json.write_bytes(msgspec.json.encode({"setting": setting, "found": found}))


main()

"""``python -m tests.bench.detection``: a table on standard output, JSON where asked."""

import argparse
import sys
from pathlib import Path

import msgspec

from tests.bench.detection.laws import CATEGORIES, NUMBERS
from tests.bench.detection.measures import delays, months


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="False alarms and delays of the default detection.")
    parser.add_argument("--months", type=int, default=200, help="endpoint-months without drift")
    parser.add_argument("--every", type=int, default=1, help="let every such feature drift")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the figures")
    asked = parser.parse_args()
    quiet = months(asked.months, asked.seed)
    say(f"no drift: {quiet.alarmed} of {quiet.months} endpoint-months alarmed where one a month was asked for:")
    say(f"{quiet.rate:.3f}, upper 95 % limit {quiet.upper:.3f}")
    found = delays(range(0, NUMBERS + CATEGORIES, asked.every), asked.seed)
    say(f"{'one of 40 features drifts':28s} {'records':>8s} {'found':>7s} {'named':>7s} {'runs':>5s}")
    for delay in found:
        say(f"{delay.drift:28s} {delay.median:8.0f} {delay.found:7.0%} {delay.named:7.0%} {delay.runs:5d}")
    if asked.json:
        asked.json.write_bytes(msgspec.json.encode({"months": quiet, "delays": found}))


main()

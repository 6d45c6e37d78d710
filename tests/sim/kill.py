"""Kill -9 at seeded moments: whatever the moment, the service comes to the end it would have come to.

``python -m tests.sim.kill --moments 200 --seed 1`` runs the service once undisturbed, and then again
and again, on a stream and a state of its own each time, killing it at moments drawn from the seed
until there were so many: while it starts, reads, decides, saves, publishes. Each run ends with a
SIGTERM once all was read. What came out must be what came out of the undisturbed run: documents byte
for byte, notifications and retraining requests with the same bodies, none missing and none else. Exit
code 1 if it is not. Some lives have a fault of the stream's as well.
"""

import argparse
import sys
from collections.abc import Sequence
from random import Random
from time import monotonic
from typing import Final

from tests.sim.place import Outcome, Place, placed
from tests.sim.processes import Cloud, Emulator, Service, clouded, emulated, running
from tests.sim.traffic import Traffic

# Between two chunks, while the service runs.
_PUT_SECONDS: Final = 0.15
# A life that is to end while it starts ends within this; any other within so long of its start.
_STARTING_SECONDS, _RUNNING_SECONDS = 1.5, 2.5
_STARTING_SHARE, _FAULTY_SHARE = 0.15, 0.25
_WHOLE_SECONDS: Final = 120.0
_FAULTS: Final[Sequence[dict[str, object]]] = (
    {"kind": "Redeliver", "operation": "GetRecords", "calls": 4, "records": 40},
    {"kind": "ExpireIterator", "operation": "GetRecords", "calls": 2},
    {"kind": "Reset", "operation": "GetRecords", "calls": 2, "applied": True},
    {"kind": "Throttle", "operation": "GetRecords", "calls": 3},
    {"kind": "EndWithoutChildren", "operation": "GetRecords", "calls": 1},
    {"kind": "Unavailable", "operation": "ListShards", "calls": 1},
    {"kind": "HideReshard", "age_seconds": 2.0},
)


class Run:
    """One run of the service, in as many lives as it takes.

    Parameters
    ----------
    place : Place
        What outlives the lives.
    traffic : Traffic
        What is put, chunk by chunk, while a service runs.
    put : bool
        Whether all of it was put before.

    Attributes
    ----------
    kills : int
        Lives that ended by a kill.
    """

    def __init__(self, place: Place, traffic: Traffic, *, put: bool = False) -> None:
        self._place, self._traffic = place, traffic
        self._put = len(traffic.chunks) if put else 0
        self.kills = 0

    def killed(self, chance: Random, *, least: int = 0, most: int) -> None:
        """Live and be killed, so often at most; after the least, until all is put and read."""
        while self.kills < most:
            with running(self._place.config) as service:
                if chance.random() < _STARTING_SHARE:
                    timer = service.kill_after(chance.uniform(0.0, _STARTING_SECONDS))
                else:
                    service.wait_for("started")
                    if chance.random() < _FAULTY_SHARE:
                        self._place.emulator.administer("POST", "faults", chance.choice(_FAULTS))
                    timer = service.kill_after(chance.uniform(0.0, _RUNNING_SECONDS))
                has_read_all = self._feed(service)
                timer.join()
                service.exit_code()
            self.kills += 1
            self._place.emulator.administer("DELETE", "faults")
            self._place.snapshot()
            if has_read_all and self.kills >= least:
                return

    def to_its_end(self) -> None:
        """Live undisturbed until all is read, then drain."""
        with running(self._place.config) as service:
            service.wait_for("started")
            began = monotonic()
            if not self._feed(service, until=began + _WHOLE_SECONDS):
                read = self._place.records + service.received()
                said = "".join(service.lines[-20:])
                self._place.troubles.append(f"{read} of {self._traffic.count} records read: {said}")
            service.terminate()
            code = service.exit_code()
            if code != 0:
                self._place.troubles.append(f"exit code {code}: {''.join(service.lines[-20:])}")

    def _feed(self, service: Service, until: float | None = None) -> bool:
        """Put chunk after chunk until it has read all, is dead, or time is up; whether it has read all."""
        while until is None or monotonic() < until:
            if service.ends_within(_PUT_SECONDS):
                return False
            if self._put < len(self._traffic.chunks):
                self._traffic.put(self._place.emulator.client, self._place.stream, self._put)
                self._put += 1
            elif self._place.records + service.received() >= self._traffic.count:
                return True
        return False


def undisturbed(emulator: Emulator, cloud: Cloud, traffic: Traffic) -> tuple[Outcome, list[str]]:
    """The outcome of a run in one life, and what was wrong with it."""
    with placed(emulator, cloud) as place:
        Run(place, traffic).to_its_end()
        return place.outcome(), place.troubles


def killed(
    emulator: Emulator, cloud: Cloud, traffic: Traffic, expected: Outcome, chance: Random, *, least: int = 0, most: int
) -> tuple[int, int, list[str]]:
    """A run with kills: how many, how much arrived again, and what was wrong or differs."""
    with placed(emulator, cloud) as place:
        run = Run(place, traffic)
        run.killed(chance, least=least, most=most)
        run.to_its_end()
        outcome = place.outcome()
        return run.kills, outcome.repeated, [*place.troubles, *expected.differences(outcome)]


def main() -> int:
    """Do as the arguments say; 1 on any difference."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.kill", description=__doc__)
    parser.add_argument("--moments", type=int, default=200, help="kills in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=20_000, help="in each run")
    parser.add_argument("--most", type=int, default=20, help="kills in one run at most")
    arguments = parser.parse_args()
    traffic, began = Traffic(arguments.records), monotonic()
    done = repeated = runs = 0
    wrong: list[str] = []
    with emulated() as emulator, clouded() as cloud:
        expected, troubles = undisturbed(emulator, cloud, traffic)
        if troubles:
            _say(f"the undisturbed run went wrong: {troubles}")
            return 1
        counted = ", ".join(f"{len(getattr(expected, name))} {name}" for name in Outcome._fields[:-1])
        _say(f"undisturbed, {monotonic() - began:.0f} s: {traffic.count} records; {counted}")
        while done < arguments.moments:
            runs += 1
            # Of its own seed: how often one run is killed changes nothing for the next.
            chance = Random(f"{arguments.seed}/{runs}")
            most = min(arguments.most, arguments.moments - done)
            kills, again, differs = killed(emulator, cloud, traffic, expected, chance, most=most)
            done, repeated = done + kills, repeated + again
            wrong += [f"run {runs}: {text}" for text in differs]
            verdict = "equal" if not differs else f"NOT EQUAL: {differs}"
            _say(f"run {runs}, {monotonic() - began:.0f} s: {kills} kills, {done} of {arguments.moments}; {verdict}")
    _say(f"{done} kills in {runs} runs of seed {arguments.seed}; {repeated} messages arrived more than once")
    _say("every run came to the same end" if not wrong else f"{len(wrong)} differences")
    return 1 if wrong else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

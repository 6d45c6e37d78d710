"""Incidents of a run, as they stand at its end."""

from collections.abc import Sequence

from streamer.core.incident import AlertState, Incident
from streamer.core.types import Action, Index, Notify


class Incidents:
    """A sink that keeps the newest revision of each incident: from the index, or from what people are told."""

    name = "incidents"

    def __init__(self) -> None:
        self._newest: dict[str, Incident] = {}
        # A resolved one does not say by itself whether it ever fired.
        self._fired: set[str] = set()

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Keep the incidents among these."""
        self.take(actions)

    def take(self, actions: Sequence[Action]) -> None:
        """Keep the incidents among these."""
        for action in actions:
            match action:
                case Index(Incident() as incident) | Notify(incident=incident):
                    known = self._newest.get(incident.id)
                    # Queues keep no order.
                    if known is None or known.revision <= incident.revision:
                        self._newest[incident.id] = incident
                    if isinstance(action, Notify) or incident.state is AlertState.FIRING:
                        self._fired.add(incident.id)

    async def commit(self) -> None:
        """Nothing is left to do."""

    async def close(self) -> None:
        """Nothing is held."""

    @property
    def fired(self) -> list[Incident]:
        """Incidents that fired, by their beginning; not those that passed while pending."""
        return sorted((self._newest[identity] for identity in self._fired), key=lambda i: (i.since, i.cause))

"""Who is watched, by which settings, and against which baselines."""

from collections.abc import Mapping

from streamer.core.baseline.model import Baseline
from streamer.core.decode.names import Names
from streamer.core.detectors.kinds import STREAMED
from streamer.core.detectors.named import prepare
from streamer.core.settings import EndpointSettings, EngineSettings

# The variant SageMaker makes when nobody names one.
DEFAULT_VARIANT = "AllTraffic"


class Watched:
    """What the configuration says of each endpoint, known or not.

    Parameters
    ----------
    settings : EngineSettings
        What is watched and how.
    baselines : mapping of (endpoint, version) to Baseline
        Version ``""`` holds for every version without one of its own.
    """

    def __init__(self, settings: EngineSettings, baselines: Mapping[tuple[str, str], Baseline]) -> None:
        self._settings = settings
        self._configured = {e.name: e for e in settings.endpoints}
        self._baselines: dict[str, dict[str, Baseline]] = {}
        for (endpoint, version), baseline in baselines.items():
            self._baselines.setdefault(endpoint, {})[version] = baseline
        # Now, at the start, and not when the first record of such an endpoint waits.
        if any(d.kind in STREAMED for e in settings.endpoints for d in e.detectors):
            prepare()

    @property
    def default_names(self) -> Names:
        """Names of records that carry none."""
        endpoints = self._settings.endpoints
        only = endpoints[0].name if len(endpoints) == 1 else ""
        return Names(self._settings.endpoint or only, self._settings.variant or DEFAULT_VARIANT)

    def settings_of(self, name: str) -> EndpointSettings | None:
        """How an endpoint is watched; ``None``: it is not."""
        found = self._configured.get(name)
        if found is not None:
            return found
        return self._settings.unknown if self._settings.learn_unknown else None

    def baselines_of(self, name: str) -> Mapping[str, Baseline]:
        """Baselines given for an endpoint, by version."""
        return self._baselines.get(name, {})

"""Budget: how careful the rules must be for their share of the false alarms that are borne."""

import math
from typing import Final

from msgspec.structs import replace

from streamer.core.evidence import chance_z
from streamer.core.settings import EndpointSettings, Rules

# Missing values and wild ones are looked for in each feature; volume, silence, unreadable records once.
_OF_A_FEATURE: Final = 2
_OF_THE_WHOLE: Final = 3


def within_budget(settings: EndpointSettings, features: int) -> Rules:
    """An endpoint's rules, significant at what its budget of false alarms allows.

    Parameters
    ----------
    settings : EndpointSettings
        With the rules as configured: they are made more careful, never less.
    features : int
        Of all keys that have traffic.

    Returns
    -------
    Rules
        As they are where there is no budget.
    """
    rules, apart = settings.rules, settings.false_alarms_apart
    if apart is None:
        return rules
    tests = apart[1] / settings.spans.window * (features * _OF_A_FEATURE + _OF_THE_WHOLE)
    deviations = max(rules.significant_deviations, chance_z(math.log(max(tests, 1.0))))
    return replace(rules, significant_deviations=deviations)

"""How careful rules are for their share of the budget."""

import math

import pytest

from streamer.core.rules.budget import within_budget
from streamer.core.settings import EndpointSettings, Rules, Spans

MONTH = 2_592_000


def deviations(features: int, seconds: int | None = MONTH, window: int = 300, rules: Rules | None = None) -> float:
    settings = EndpointSettings(
        name="e", spans=Spans(window=window), rules=rules or Rules(), false_alarm_seconds=seconds
    )
    return within_budget(settings, features).significant_deviations


def test_rules_are_as_configured_where_nobody_says_how_many_false_alarms_are_borne() -> None:
    assert deviations(10_000, None) == 5.0


def test_rules_are_never_less_careful_than_configured() -> None:
    assert deviations(1, 3_600) == 5.0
    assert deviations(40, rules=Rules(significant_deviations=9.0)) == 9.0


@pytest.mark.parametrize("features", [40, 400, 4_000])
def test_false_alarms_of_all_rules_are_a_tenth_of_what_is_borne(features: int) -> None:
    chance = math.erfc(deviations(features) / math.sqrt(2))
    assert 0.08 < chance * MONTH / 300 * (2 * features + 3) <= 0.105

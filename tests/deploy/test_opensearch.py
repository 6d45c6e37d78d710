"""What is given to a server's administrator agrees with what the program does."""

import fnmatch
import json
from pathlib import Path
from typing import Any

import pytest

from streamer.config.parts import OpenSearchConfig
from streamer.core.index.families import Family, Partition, index_name

FOLDER = Path(__file__).parents[2] / "deploy" / "opensearch"
PREFIX = OpenSearchConfig().prefix


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def test_the_retention_policy_is_for_the_families_that_are_not_kept_for_years() -> None:
    policy = read("retention-policy.json")["policy"]
    (template,) = policy["ism_template"]
    patterns = template["index_patterns"]
    for family in Family:
        for partition in Partition:
            name = index_name(PREFIX, family, 739_949, partition)
            assert any(fnmatch.fnmatch(name, pattern) for pattern in patterns) is not family.is_rare
    # What has no time is never old: as for the program.
    undated = index_name(PREFIX, Family.DEAD_LETTERS, None, Partition.DAY)
    assert not any(fnmatch.fnmatch(undated, pattern) for pattern in patterns)


def test_every_state_of_the_retention_policy_is_reached_and_the_last_one_deletes() -> None:
    policy = read("retention-policy.json")["policy"]
    states = {state["name"]: state for state in policy["states"]}
    reached, name = [], policy["default_state"]
    while name is not None:
        reached.append(name)
        transitions = states[name]["transitions"]
        name = transitions[0]["state_name"] if transitions else None
    assert reached == list(states)
    assert states[reached[-1]]["actions"] == [{"delete": {}}]


@pytest.mark.parametrize("name", ["role-service.json", "role-setup.json"])
def test_a_role_is_for_our_indices_and_no_others(name: str) -> None:
    role = read(name)
    assert set(role) == {"description", "cluster_permissions", "index_permissions"}
    (granted,) = role["index_permissions"]
    names = [index_name(PREFIX, family, 739_949, Partition.DAY) for family in Family]
    assert granted["index_patterns"] == [f"{PREFIX}-*"]
    assert all(fnmatch.fnmatch(index, granted["index_patterns"][0]) for index in names)
    every = [*role["cluster_permissions"], *granted["allowed_actions"]]
    assert not {"*", "indices:*", "cluster_all", "indices_all", "cluster:*"} & set(every)


def test_the_service_may_not_delete() -> None:
    assert not [one for one in read("role-service.json")["index_permissions"][0]["allowed_actions"] if "delete" in one]

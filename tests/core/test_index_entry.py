"""Actions as lines of a bulk request."""

import json
import math
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.index.entry import Shelf
from streamer.core.index.families import Family, Partition, date_of, family_of, stretch_of
from streamer.core.index.refused import RefusedDocument
from streamer.core.index.template import mappings_of
from streamer.core.types import Index, Notify, Reject, Retrain
from streamer.testing.opensearch_mapping import fits
from tests.contract.documents import actions, feature, incident, notify, reject, retrain

SHELF = Shelf("streamer", Partition.DAY)


@given(action=actions)
def test_an_action_is_two_lines_that_name_its_place_id_and_revision(action: Index | Notify | Reject | Retrain) -> None:
    entry = SHELF.entry_of(action)
    if isinstance(action, Retrain):
        assert entry is None
        return
    assert entry is not None
    revision = action.document.revision if isinstance(action, Index) else 1
    about = {"_index": entry.place, "_id": entry.id, "version": revision, "version_type": "external_gte"}
    assert json.loads(entry.head()) == {"index": about}
    del about["_index"]
    assert json.loads(entry.head(with_index=False)) == {"index": about}


@given(action=actions)
def test_a_document_fits_the_mapping_of_its_family_and_stands_in_its_index(
    action: Index | Notify | Reject | Retrain,
) -> None:
    entry = SHELF.entry_of(action)
    if entry is not None:
        fits(entry.body, mappings_of(entry.family))
    if isinstance(action, Index):
        assert entry is not None
        assert entry.family is family_of(action.document)
        stretch, at = stretch_of(entry.place, "streamer", entry.family), date_of(action.document)
        assert stretch is not None
        assert at is not None
        assert stretch.since <= at < stretch.until


@given(names=st.text().filter(lambda text: text.isprintable() or text.isspace()))
def test_whatever_a_feature_is_called_it_stays_on_one_line(names: str) -> None:
    entry = SHELF.entry_of(feature(names or "f", name=names))
    assert entry is not None
    assert b"\n" not in entry.head() + entry.body


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_never_sent_as_one(value: float) -> None:
    about = feature().document
    entry = SHELF.entry_of(Index(msgspec.structs.replace(about, mean=value, quantiles={"p50": value})))
    assert entry is not None
    sent = json.loads(entry.body, parse_constant=pytest.fail)
    assert (sent["mean"], sent["quantiles"]) == (None, {"p50": None})


def test_an_incident_and_what_is_told_of_it_stay_in_one_index() -> None:
    later = msgspec.structs.replace(incident(), changed=incident().changed + timedelta(days=400), revision=9)
    places = {SHELF.entry_of(Index(about)) for about in (incident(), later)} | {SHELF.entry_of(notify("n", later))}
    assert {entry.place for entry in places if entry is not None} == {
        "streamer-incidents-2026",
        "streamer-notifications-2026",
    }


def test_a_refused_document_is_told_without_its_values() -> None:
    entry = SHELF.entry_of(feature("f1", 3, name="a secret"))
    assert entry is not None
    letter = SHELF.refusal_of(entry, "mapper_parsing_exception")
    assert letter is not None
    told = msgspec.json.decode(letter.body, type=RefusedDocument)
    assert (told.document, told.document_kind, told.revision, told.error) == (
        "f1",
        "features",
        3,
        "mapper_parsing_exception",
    )
    assert (told.index, told.size_bytes, letter.family) == (entry.place, len(entry.body), Family.DEAD_LETTERS)
    assert b"secret" not in letter.body
    assert letter.place == "streamer-deadletters-2026.01.05"
    fits(letter.body, mappings_of(Family.DEAD_LETTERS))


def test_a_refused_letter_has_no_letter_of_its_own() -> None:
    entry = SHELF.entry_of(reject())
    assert entry is not None
    assert SHELF.refusal_of(entry, "any") is None


def test_without_a_time_it_is_filed_as_undated() -> None:
    entry = SHELF.entry_of(retrain()) or SHELF.entry_of(reject())
    assert entry is not None
    assert entry.place == "streamer-deadletters-undated"

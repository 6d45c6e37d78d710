"""What each answer of a server means: the table, line by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.errors import Absent, Denied, NeedsPerson, Retryable, StorageFull, Throttled, Unavailable
from streamer.core.index.outcome import DOCUMENTS, REQUESTS, Outcome, of_document, of_request

WRITTEN, SUPERSEDED, RETRY, REFUSE, STOP, SPLIT = (
    Outcome.WRITTEN,
    Outcome.SUPERSEDED,
    Outcome.RETRY,
    Outcome.REFUSE,
    Outcome.STOP,
    Outcome.SPLIT,
)


@pytest.mark.parametrize(
    ("status", "error_type", "outcome", "error"),
    [
        pytest.param(201, "", WRITTEN, None, id="new"),
        pytest.param(200, "", WRITTEN, None, id="the same revision or a newer one"),
        pytest.param(409, "version_conflict_engine_exception", SUPERSEDED, None, id="a newer revision is there"),
        pytest.param(409, "", RETRY, Unavailable, id="a conflict of another kind"),
        pytest.param(429, "rejected_execution_exception", RETRY, Throttled, id="the write queue is full"),
        pytest.param(429, "circuit_breaking_exception", RETRY, Throttled, id="the server's memory is full"),
        pytest.param(429, "", RETRY, Throttled, id="429 of any kind"),
        pytest.param(429, "cluster_block_exception", RETRY, StorageFull, id="the disk's flood stage"),
        pytest.param(403, "cluster_block_exception", STOP, Denied, id="the index is read-only"),
        pytest.param(403, "index_create_block_exception", STOP, Denied, id="no index may be made"),
        pytest.param(403, "security_exception", STOP, Denied, id="no permission"),
        pytest.param(403, "", STOP, Denied, id="403 of any kind"),
        pytest.param(401, "", STOP, Denied, id="no credentials"),
        pytest.param(400, "index_closed_exception", STOP, NeedsPerson, id="the index is closed"),
        pytest.param(400, "validation_exception", STOP, NeedsPerson, id="the limit of shards"),
        pytest.param(400, "strict_dynamic_mapping_exception", STOP, NeedsPerson, id="a template of another shape"),
        pytest.param(400, "illegal_argument_exception", STOP, NeedsPerson, id="an alias or a data stream"),
        pytest.param(400, "invalid_index_name_exception", STOP, NeedsPerson, id="a name no index may have"),
        pytest.param(404, "index_not_found_exception", STOP, Absent, id="no index is made by itself"),
        pytest.param(404, "", STOP, Absent, id="404 of any kind"),
        pytest.param(400, "mapper_parsing_exception", REFUSE, None, id="a value that fits no field"),
        pytest.param(400, "never_heard_of_exception", REFUSE, None, id="400 of any other kind"),
        pytest.param(413, "", REFUSE, None, id="one document that is too large"),
        pytest.param(408, "", RETRY, Unavailable, id="no answer in time"),
        pytest.param(503, "unavailable_shards_exception", RETRY, Unavailable, id="too few shards"),
        pytest.param(500, "", RETRY, Unavailable, id="a fault of the server"),
        pytest.param(302, "", RETRY, Unavailable, id="no status a document can have"),
        pytest.param(-7, "", RETRY, Unavailable, id="no status at all"),
    ],
)
def test_an_outcome_of_a_document(
    status: int, error_type: str, outcome: Outcome, error: type[Retryable] | None
) -> None:
    line = of_document(status, error_type)
    assert (line.outcome, line.error) == (outcome, error)


@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [
        pytest.param(200, WRITTEN, None, id="answered"),
        pytest.param(400, SPLIT, None, id="one of them breaks the rules"),
        pytest.param(413, SPLIT, None, id="too large"),
        pytest.param(401, STOP, Denied, id="no credentials"),
        pytest.param(403, STOP, Denied, id="no permission"),
        pytest.param(404, STOP, Absent, id="not there"),
        pytest.param(408, RETRY, Unavailable, id="no answer in time"),
        pytest.param(429, RETRY, Throttled, id="less, please"),
        pytest.param(301, STOP, NeedsPerson, id="another service"),
        pytest.param(406, STOP, NeedsPerson, id="another language"),
        pytest.param(502, RETRY, Unavailable, id="a proxy without a server"),
        pytest.param(503, RETRY, Unavailable, id="no master"),
        pytest.param(7, RETRY, Unavailable, id="no status"),
    ],
)
def test_an_outcome_of_a_whole_request(status: int, outcome: Outcome, error: type[Retryable] | None) -> None:
    line = of_request(status)
    assert (line.outcome, line.error) == (outcome, error)


@given(status=st.integers(), error_type=st.text() | st.sampled_from([line.error_type for line in DOCUMENTS]))
def test_whatever_is_answered_has_an_outcome_and_what_waits_an_error(status: int, error_type: str) -> None:
    for line in (of_document(status, error_type), of_request(status)):
        assert (line.error is not None) == (line.outcome in (RETRY, STOP))


def test_no_line_is_hidden_by_one_above_it() -> None:
    for table in (DOCUMENTS, REQUESTS):
        for i, line in enumerate(table):
            reached = [
                s
                for s in line.statuses
                if not any(s in a.statuses and a.error_type in ("", line.error_type) for a in table[:i])
            ]
            assert reached, line

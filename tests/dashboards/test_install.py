"""Installing: what Dashboards says is not believed, and what it has is compared."""

import socket
from collections.abc import Callable, Sequence

import pytest

from streamer.core.errors import SinkError
from streamer.dashboards.generate import objects
from streamer.dashboards.install import Access, install
from tests.dashboards.lying import Dashboards, Object

SENT = objects()


def failed(kind: str) -> Callable[[list[Object]], object]:
    """The answer to one object of many that could not be taken: status 200, and all the others as successes."""

    def answer(sent: list[Object]) -> object:
        error = {"type": "visualization", "id": "streamer-evidence", "error": {"type": kind}}
        done = [{"type": one["type"], "id": one["id"]} for one in sent[1:]]
        return {"success": False, "successCount": len(done), "successResults": done, "errors": [error]}

    return answer


async def test_everything_is_imported_over_what_is_there_and_read_back() -> None:
    dashboards = Dashboards()
    async with dashboards.serving() as url:
        await install(Access(url), SENT)
        await install(Access(f"{url}/"), SENT)
    assert len(dashboards.kept) == len(SENT)
    assert set(dashboards.queries) == {"overwrite=true"}
    assert all("osd-xsrf" in headers and "Authorization" not in headers for headers in dashboards.headers)


async def test_a_domain_has_it_under_a_path() -> None:
    async with Dashboards().serving("/_dashboards") as url:
        await install(Access(url), SENT)


async def test_a_password_and_a_tenant_go_with_every_request() -> None:
    dashboards = Dashboards(password="gehëim")
    async with dashboards.serving() as url:
        await install(Access(url, "ada", "gehëim", "global"), SENT)
        with pytest.raises(SinkError, match="401: Authentication required") as told:
            await install(Access(url, "ada", "wrong"), SENT)
    assert {headers["securitytenant"] for headers in dashboards.headers[:2]} == {"global"}
    assert "wrong" not in str(told.value)


def nothing(sent: Sequence[Object]) -> Sequence[Object]:
    return ()


def without_the_first_panel(sent: Sequence[Object]) -> Sequence[Object]:
    return [one for one in sent if one["id"] != "streamer-evidence"]


def with_fields_of_its_own(sent: Sequence[Object]) -> Sequence[Object]:
    view = {**sent[0], "attributes": {**sent[0]["attributes"], "fields": "[]"}}
    return [view, *sent[1:]]


def with_references_lost(sent: Sequence[Object]) -> Sequence[Object]:
    return [*sent[:-1], {**sent[-1], "references": []}]


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        pytest.param(
            Dashboards(keep=nothing, answer=failed("missing_references")),
            "visualization streamer-evidence: missing_references",
            id="a missing reference: 200, nothing written",
        ),
        pytest.param(
            Dashboards(keep=without_the_first_panel, answer=failed("unknown")),
            "visualization streamer-evidence: unknown",
            id="an unknown attribute: 200, the others written",
        ),
        pytest.param(
            Dashboards(keep=without_the_first_panel, answer=failed("unsupported_type")),
            "unsupported_type",
            id="an unknown type: 200, the others written",
        ),
        pytest.param(Dashboards(keep=nothing, answer=failed("conflict")), "conflict", id="a conflict: nothing written"),
        pytest.param(
            Dashboards(keep=nothing, answer=lambda sent: {"success": True, "successCount": 0}),
            f"0 of {len(SENT)} objects",
            id="an empty file: success, nothing written",
        ),
        pytest.param(
            Dashboards(keep=nothing), "not there as it was sent: index-pattern", id="success, and nothing is there"
        ),
        pytest.param(
            Dashboards(keep=without_the_first_panel),
            "not there as it was sent: visualization streamer-evidence",
            id="success, and one is not there",
        ),
        pytest.param(
            Dashboards(keep=with_fields_of_its_own),
            "not there as it was sent: index-pattern streamer-features",
            id="success, and one is another",
        ),
        pytest.param(
            Dashboards(keep=with_references_lost),
            "not there as it was sent: dashboard streamer-endpoint",
            id="success, and references are lost",
        ),
        pytest.param(
            Dashboards(keep=nothing, answer=lambda sent: {"successCount": len(sent)}),
            "no reason is given",
            id="neither success nor failure",
        ),
        pytest.param(
            Dashboards(keep=nothing, answer=lambda sent: {"message": "7.99.0 is more recent"}, status=422),
            "422: 7.99.0 is more recent",
            id="a migration too new",
        ),
        pytest.param(Dashboards(answer=lambda sent: "<html>", status=200), "no JSON object", id="another page"),
        pytest.param(Dashboards(answer=lambda sent: "<html>", status=302), "302", id="a sign-in page"),
    ],
)
async def test_a_lie_is_found_and_said(lie: Dashboards, said: str) -> None:
    async with lie.serving() as url:
        with pytest.raises(SinkError, match=said):
            await install(Access(url), SENT)


@pytest.mark.parametrize("name", ["streamer-evidence", "streamer-incidents-list"])
async def test_what_a_server_would_take_without_a_word_is_not_sent(name: str) -> None:
    dashboards = Dashboards()
    async with dashboards.serving() as url:
        with pytest.raises(SinkError, match=f"refers to .* {name}, which is not in the file"):
            await install(Access(url), [one for one in SENT if one["id"] != name])
    assert dashboards.headers == []


async def test_nobody_there_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SinkError, match=r"can't be reached: Client\w+$"):
            await install(Access(url), SENT)


async def test_an_authority_that_can_not_be_read_is_one_line() -> None:
    with pytest.raises(SinkError, match="can't be reached"):
        await install(Access("https://127.0.0.1:1", ca_file="/nowhere.pem"), SENT)

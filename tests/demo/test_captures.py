import csv
import math
from pathlib import Path

import numpy as np
import pytest

from streamer.config.load import parse
from streamer.core.columns import Columns
from streamer.core.decode.batch import BatchDecoder
from streamer.core.decode.names import Names, names_in_path
from streamer.core.decode.sides import SideReader
from streamer.core.errors import SinkError
from streamer.core.eventtime import as_datetime, parse_time
from streamer.core.schema import Feature, Kind, Schema, Side
from streamer.core.settings import Limits
from streamer.core.types import Batch, Key, ShardId
from streamer.demo.captures import captures, write_captures, write_training_table
from streamer.demo.configuration import ENDPOINT, TIME_ZONE, VARIANT, configuration_text
from streamer.demo.flights import CATEGORIES, FEATURES, NUMBERS
from tests.demo import january, to_july

NOW = parse_time("2013-12-31T00:00:00Z")
# Two weeks hold the blizzard and the broken reading.
SAMPLE = slice(0, 11_000)


def schema() -> Schema:
    known = {name: tuple(sorted(to_july()[name].unique().tolist())) for name in CATEGORIES}
    features = [Feature(name=name, side=Side.INPUT, kind=Kind.NUMERIC) for name in NUMBERS]
    features += [
        Feature(name=name, side=Side.INPUT, kind=Kind.CATEGORY, values=values) for name, values in known.items()
    ]
    return Schema((*features, Feature(name="score", side=Side.OUTPUT, kind=Kind.NUMERIC)))


def decoded(
    payloads: list[bytes], path: str = f"{ENDPOINT}/{VARIANT}/2013/02/01/10/x.jsonl"
) -> tuple[Columns, Columns]:
    """Columns of both sides, every record accepted."""
    decoder = BatchDecoder(Limits(), Names(), lambda names, at: Key(names.endpoint, names.variant, ""))
    batch = Batch(ShardId("s"), payloads, [str(i) for i in range(len(payloads))], None, path)
    found = decoder.decode(batch, NOW)
    assert not found.rejected
    group = found.captures[Key(ENDPOINT, VARIANT, "")]
    sides = []
    for side in Side:
        of_side = [getattr(c, f"endpoint{side.value.capitalize()}") for c in group.sides]
        columns, failures = SideReader(schema(), side, "", Limits()).read(of_side)
        assert not failures
        sides.append(columns)
    return sides[0], sides[1]


def test_captures_decode_to_the_flights_they_were_made_of() -> None:
    flights = to_july().iloc[SAMPLE]
    inputs, outputs = decoded([payload for _, payload in captures(flights)])
    assert inputs.mistyped is None
    for i, name in enumerate(NUMBERS):
        assert np.array_equal(inputs.numbers[i], flights[name].to_numpy(np.float64), equal_nan=True), name
    for i, feature in enumerate(f for f in schema().of(Side.INPUT) if f.kind is Kind.CATEGORY):
        assert [feature.values[code] for code in inputs.codes[i].tolist()] == flights[feature.name].tolist()
    assert np.array_equal(outputs.numbers[0], flights["score"].to_numpy())


def test_a_request_holds_the_flights_of_one_airport_and_minute() -> None:
    flights = to_july().iloc[SAMPLE]
    inputs, _ = decoded([payload for _, payload in captures(flights)])
    key = list(zip(flights["origin"], flights["scheduled_at"], strict=True))
    record = inputs.record.tolist()
    assert len({*zip(record, key, strict=True)}) == len({*record}) == len({*key})


def test_requests_have_about_five_rows_in_three() -> None:
    count = sum(1 for _ in captures(to_july()))
    assert len(to_july()) / count == pytest.approx(1.7, abs=0.05)


def test_captures_come_in_order_of_event_time() -> None:
    times = [event_at for event_at, _ in captures(to_july().iloc[SAMPLE])]
    assert times == sorted(times)


def test_captures_are_the_same_bytes_each_time() -> None:
    flights = to_july().iloc[:2_000]
    assert list(captures(flights)) == list(captures(flights.copy()))


def test_a_capture_does_not_depend_on_the_flights_after_it() -> None:
    few, more = list(captures(to_july().iloc[:500])), list(captures(to_july().iloc[:2_000]))
    assert few[:-1] == more[: len(few) - 1]  # the last request may have been cut in two


def test_every_capture_has_an_identity_of_its_own() -> None:
    payloads = [payload for _, payload in captures(to_july().iloc[SAMPLE])]
    ids = {payload.split(b'"eventId":"')[1][:36] for payload in payloads}
    assert len(ids) == len(payloads)


def test_no_flights_make_no_captures() -> None:
    assert list(captures(to_july().iloc[:0])) == []


def test_written_files_hold_the_captures_in_order(tmp_path: Path) -> None:
    flights = to_july().iloc[:2_000]
    write_captures(flights, tmp_path)
    paths = sorted(tmp_path.rglob("*.jsonl"))
    lines = [line for path in paths for line in path.read_bytes().splitlines()]
    assert lines == [payload for _, payload in captures(flights)]


def test_what_was_written_is_counted(tmp_path: Path) -> None:
    flights = to_july().iloc[:2_000]
    made = list(captures(flights))
    written = write_captures(flights, tmp_path)
    assert written == (len(list(tmp_path.rglob("*.jsonl"))), len(made), 2_000, made[0][0], made[-1][0])


def test_a_files_path_names_endpoint_variant_and_hour(tmp_path: Path) -> None:
    write_captures(to_july().iloc[:2_000], tmp_path)
    for path in tmp_path.rglob("*.jsonl"):
        at = parse_time(path.read_text().split('"inferenceTime":"')[1][:20])
        assert names_in_path(path.as_posix()) == Names(ENDPOINT, VARIANT)
        assert path.parent.as_posix().endswith(f"{as_datetime(at):%Y/%m/%d/%H}")


def test_files_written_twice_are_alike(tmp_path: Path) -> None:
    trees = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        write_captures(to_july().iloc[:1_000], folder)
        trees.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.jsonl")})
    assert trees[0] == trees[1]


def test_captures_of_another_run_are_left_alone(tmp_path: Path) -> None:
    write_captures(to_july().iloc[:10], tmp_path)
    with pytest.raises(SinkError, match="already there"):
        write_captures(to_july().iloc[:10], tmp_path)


def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="can't be written"):
        write_captures(to_july().iloc[:10], tmp_path / "file")


def test_no_flights_make_no_files(tmp_path: Path) -> None:
    assert write_captures(to_july().iloc[:0], tmp_path) == (0, 0, 0, 0, 0)


def test_the_training_table_has_time_features_in_order_and_score(tmp_path: Path) -> None:
    write_training_table(january().iloc[:100], tmp_path / "train.csv")
    header = (tmp_path / "train.csv").read_text().split("\n", 1)[0]
    assert header == ",".join(["scheduled", *FEATURES, "score"])


def test_the_training_table_holds_january_as_it_is(tmp_path: Path) -> None:
    write_training_table(january(), tmp_path / "train.csv")
    with (tmp_path / "train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(january())
    assert [parse_time(row["scheduled"]) for row in rows] == january()["scheduled_at"].tolist()
    for name in (*NUMBERS, "score"):
        found = [float(row[name]) if row[name] else math.nan for row in rows]
        assert np.array_equal(found, january()[name].to_numpy(np.float64), equal_nan=True), name
    for name in CATEGORIES:
        assert [row[name] for row in rows] == january()[name].tolist()


def test_no_missing_value_is_spelled_out(tmp_path: Path) -> None:
    write_training_table(january(), tmp_path / "train.csv")
    texts = [(tmp_path / "train.csv").read_text(), *(str(p) for _, p in captures(to_july().iloc[SAMPLE]))]
    assert not any("nan" in text.lower() or "<na>" in text.lower() for text in texts)


def test_a_table_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="can't be written"):
        write_training_table(january().iloc[:10], tmp_path / "missing" / "train.csv")


def test_the_configuration_watches_the_endpoint_by_service_day() -> None:
    endpoint = parse(configuration_text("baseline", "index.sqlite"), {}).endpoints[0]
    assert (endpoint.name, endpoint.time_zone) == (ENDPOINT, TIME_ZONE)
    assert (endpoint.pane, endpoint.window, endpoint.offset) == (3_600, 86_400, 32_400)
    assert (endpoint.alerts.hold, endpoint.alerts.keep_firing) == (0, 3 * 86_400)
    assert endpoint.baseline_is_traffic


def test_the_configuration_takes_paths_of_any_spelling() -> None:
    config = parse(configuration_text('a "b" \\c', "ü.sqlite"), {})
    assert (config.endpoints[0].baseline, config.index.sqlite) == ('a "b" \\c', "ü.sqlite")

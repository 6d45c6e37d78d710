"""Reading a configuration: what holds, and what every mistake is told like."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.load import load, parse
from streamer.config.model import Config
from streamer.core.errors import ConfigError
from streamer.core.settings import AlertSpans, EngineSettings, Limits, Rules, Spans

FULL = """
[source]
out_of_orderness = "1 min"
idle = "2 min"
endpoint = "b"
variant = "blue"
unknown_endpoints = "ignore"
max_endpoints = 10
max_tracks = 5

[limits]
record_size = "2 MiB"
payload_size = "8 MB"
rows = 100
depth = 10
features = 50
text_characters = 1000
future = "1 h"

[index]
sqlite = "var/index.sqlite"
retention = "90 d"

[defaults]
window = "10 min"
lateness = "2 min"
rules.psi = 0.2
alerts.repeat = 0

[[endpoint]]
name = "a"
baseline = "baselines/a"
pane = "1 h"
window = "1 d"
offset = "9 h"
time_zone = "America/New_York"
json_path = "body.rows"
burn_in_rows = 500
baseline_is_traffic = true

[endpoint.rules]
missing = false
missing_points = "2 %"
ks = 0.1
js = "10 %"
wasserstein = 0.5
hellinger = 0.15
chi_square = 20
l_infinity_simple = 0.2
l_infinity_robust = 0.1
minimum_rows = 30

[endpoint.alerts]
hold = "1 d"
keep_firing = "3 d"

[[endpoint.version]]
id = "1"
from = 2026-10-01T00:00:00Z

[[endpoint.version]]
id = "2"
from = "2026-11-01T01:00:00+01:00"
baseline = "baselines/a2"

[[endpoint]]
name = "b"
rules = { psi = false }
"""


def problems_in(text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, environment, "s.toml")
    return str(caught.value).splitlines()


def test_nothing_at_all_is_the_defaults_of_the_core() -> None:
    assert parse("", {}).engine_settings() == EngineSettings()


def test_every_key_reaches_the_settings_of_the_core() -> None:
    settings = parse(FULL, {}).engine_settings()
    first = settings.endpoints[0]
    assert settings.limits == Limits(
        record_bytes=2_097_152,
        payload_bytes=8_000_000,
        rows=100,
        depth=10,
        features=50,
        text_characters=1_000,
        future_seconds=3_600,
    )
    assert (settings.out_of_orderness_seconds, settings.idle_seconds) == (60, 120)
    assert (settings.endpoint, settings.variant, settings.learn_unknown) == ("b", "blue", False)
    assert (settings.max_endpoints, settings.max_tracks) == (10, 5)
    assert first.spans == Spans(pane=3_600, window=86_400, offset=32_400, lateness=120)
    assert first.rules == Rules(
        missing=False,
        missing_points=0.02,
        psi=0.2,
        ks=0.1,
        js=0.1,
        wasserstein=0.5,
        hellinger=0.15,
        chi_square=20.0,
        l_infinity_simple=0.2,
        l_infinity_robust=0.1,
        minimum_rows=30,
        baseline_is_traffic=True,
    )
    assert first.alerts == AlertSpans(hold=86_400, keep_firing=259_200, repeat=0)
    assert (first.time_zone, first.json_path, first.burn_in_rows) == ("America/New_York", "body.rows", 500)
    assert [(v.id, v.from_at) for v in first.versions] == [("1", 1_790_812_800_000), ("2", 1_793_491_200_000)]


def test_an_endpoint_has_the_defaults_where_it_says_nothing_else() -> None:
    second = parse(FULL, {}).engine_settings().endpoints[1]
    assert second.spans == Spans(window=600, lateness=120)


def test_a_threshold_of_the_defaults_is_switched_off_by_false() -> None:
    assert parse(FULL, {}).engine_settings().endpoints[1].rules.psi is None


def test_unknown_endpoints_are_watched_by_the_defaults() -> None:
    unknown = parse(FULL, {}).engine_settings().unknown
    assert (unknown.spans.window, unknown.rules.psi, unknown.alerts.repeat) == (600, 0.2, 0)


@pytest.mark.parametrize(
    ("config", "core"),
    [(parse("", {}).defaults.rules, Rules()), (parse("", {}).defaults.alerts, AlertSpans())],
    ids=["rules", "alerts"],
)
def test_rules_and_alerts_have_the_names_and_defaults_of_the_core(config: object, core: object) -> None:
    assert set(type(config).model_fields) == set(type(core).__struct_fields__) - {"baseline_is_traffic"}  # type: ignore[attr-defined]
    assert all(getattr(config, name) == getattr(core, name) for name in type(config).model_fields)  # type: ignore[attr-defined]


def test_a_key_is_placed_by_its_line_or_its_variable(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[[endpoint]]\nname = "a"\nbaseline = "x"\n')
    path = ("endpoint", 0, "baseline")
    variables = {"STREAMER_ENDPOINT__0__BASELINE": "y"}
    assert load(tmp_path / "s.toml", {}).place_of(path) == f"{tmp_path / 's.toml'}:3: endpoint[0].baseline"
    placed = load(tmp_path / "s.toml", variables).place_of(path)
    assert placed == "STREAMER_ENDPOINT__0__BASELINE: endpoint[0].baseline"
    assert parse("", {}).place_of(path) == "endpoint[0].baseline"


def test_paths_are_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[index]\nsqlite = "x.sqlite"\n')
    config = load(tmp_path / "s.toml", {})
    assert config.path_of(config.index.sqlite or "") == tmp_path / "x.sqlite"


def test_an_absolute_path_stays_as_it_is() -> None:
    assert Config().placed(Path("/somewhere")).path_of("/data/x") == Path("/data/x")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '[[endpoint]]\nname = "a"\n\nwindow = "5 mins later"',
            's.toml:4: endpoint[0].window: expected a duration such as "5 min" or a whole number of seconds, '
            'found "5 mins later"',
        ),
        ("[index]\nsqllite = 'x'", 's.toml:2: index.sqllite: unknown key; did you mean "sqlite"?'),
        ("[sources]\nidle = 1", 's.toml:1: sources: unknown key; did you mean "source"?'),
        (
            "[[endpoint]]\nname = 'a'\nkeep_firing = '1 d'",
            "s.toml:3: endpoint[0].keep_firing: unknown key here; it belongs in [endpoint.alerts]",
        ),
        (
            "[index]\ncolour = 'red'",
            "s.toml:2: index.colour: unknown key; known here: sqlite, retention, opensearch",
        ),
        ("[[endpoint]]\nwindow = '10 min'", "s.toml:1: endpoint[0].name: missing; expected text in quotes"),
        ("[[endpoint]]\nname = 3", "s.toml:2: endpoint[0].name: expected text in quotes, found 3"),
        ("[limits]\nrows = '9'", 's.toml:2: limits.rows: expected a whole number, found "9"'),
        ("[limits]\nrows = 1.5", "s.toml:2: limits.rows: expected a whole number, found 1.5"),
        ("[limits]\nrows = 0", "s.toml:2: limits.rows: expected at least 1, found 0"),
        ("[limits]\ndepth = 9999", "s.toml:2: limits.depth: expected at most 200, found 9999"),
        ("[limits]\nrecord_size = '1 GiB'", 's.toml:2: limits.record_size: expected at most 64 MiB, found "1 GiB"'),
        ("[defaults]\nwindow = '8 d'", 's.toml:2: defaults.window: expected at most 7 d, found "8 d"'),
        (
            "[defaults.rules]\nmissing = 1",
            "s.toml:2: defaults.rules.missing: expected true or false, without quotes, found 1",
        ),
        ("[defaults.rules]\npsi = nan", "s.toml:2: defaults.rules.psi: expected a finite number, found nan"),
        ("[defaults.rules]\npsi = 0", "s.toml:2: defaults.rules.psi: expected more than 0, found 0"),
        ("[defaults.rules]\nks = '200 %'", 's.toml:2: defaults.rules.ks: expected at most 100 %, found "200 %"'),
        (
            "[source]\nunknown_endpoints = 'watch'",
            's.toml:2: source.unknown_endpoints: expected "learn" or "ignore", found "watch"',
        ),
        ("index = 3", "s.toml:1: index: expected a table, written [index], found 3"),
        (
            "[endpoint]\nname = 'a'",
            "s.toml:1: endpoint: expected a list of tables, written [[endpoint]], found a table",
        ),
        ("endpoint = [3]", "s.toml:1: endpoint[0]: expected a table, written [endpoint], found 3"),
        (
            "[defaults]\npane = '7 s'",
            "s.toml:2: defaults.pane: the window (5 min) must be a whole number of panes (7 s)",
        ),
        (
            "[[endpoint]]\nname = 'a'\nwindow = '25 s'",
            "s.toml:3: endpoint[0].window: the window (25 s) must be a whole number of panes (10 s)",
        ),
        (
            "[defaults]\noffset = '5 min'",
            "s.toml:2: defaults.offset: the offset (5 min) must be less than the window (5 min)",
        ),
        (
            "[defaults]\noffset = 15",
            "s.toml:2: defaults.offset: the offset (15 s) must be a whole number of panes (10 s); "
            "15 without a unit is 15 s",
        ),
        (
            "[defaults]\ntime_zone = 'America/NewYork'",
            's.toml:2: defaults.time_zone: unknown time zone; did you mean "America/New_York"?',
        ),
        (
            "[defaults]\ntime_zone = '../../etc/passwd'",
            's.toml:2: defaults.time_zone: unknown time zone; expected a name such as "Europe/Paris"',
        ),
        (
            "[[endpoint]]\nname = 'my endpoint'",
            's.toml:2: endpoint[0].name: expected 1 to 256 letters, digits and ". _ : -", '
            'the first a letter or digit, found "my endpoint"',
        ),
        (
            "[[endpoint]]\nname = 'a'\n[[endpoint]]\nname = 'a'",
            's.toml:4: endpoint[1].name: endpoint[0] has the name "a" already',
        ),
        ("[index]\nretention = '36 h'\nsqlite = 'x'", "s.toml:2: index.retention: expected whole days, found 36 h"),
        (
            "[index]\nretention = '3 d'",
            "s.toml:2: index.retention: there is no index to keep documents in; "
            "set index.sqlite or index.opensearch.url, too",
        ),
        (
            "[source]\nunknown_endpoints = 'ignore'",
            "s.toml:2: source.unknown_endpoints: no endpoint is configured, "
            "so ignoring unknown ones would watch nothing",
        ),
        (
            "[source]\nunknown_endpoints = 'ignore'\nendpoint = 'churm'\n[[endpoint]]\nname = 'churn'",
            "s.toml:3: source.endpoint: no such endpoint is configured, and unknown ones are ignored; "
            'did you mean "churn"?',
        ),
        (
            "[[endpoint]]\nname = 'a'\n[[endpoint.version]]\nid = '1'\nfrom = 2026-01-02T00:00:00Z\n"
            "[[endpoint.version]]\nid = '2'\nfrom = 2026-01-01T00:00:00Z",
            "s.toml:8: endpoint[0].version[1].from: must be later than the version before: "
            "versions stand in order of time",
        ),
        (
            "[[endpoint]]\nname = 'a'\n[[endpoint.version]]\nid = '1'\nfrom = 12:00:00",
            "s.toml:5: endpoint[0].version[0].from: expected a time with a zone, such as 2026-11-01T00:00:00Z, "
            "from 2000 to 2100, found the time 12:00:00",
        ),
        (
            "[[endpoint]]\nname = 'a'\nwindow = 5\npane = '10 s'",
            "s.toml:4: endpoint[0].pane: the window (5 s) must be a whole number of panes (10 s); "
            "5 without a unit is 5 s",
        ),
        ("[index]\nsqlite = ''", 's.toml:2: index.sqlite: expected a text that is not empty, found ""'),
        ("x = 1 y = 2", "s.toml:1: not TOML: expected newline or end of document after a statement, column 7"),
        ("[index]\nsqlite = 'x", 's.toml:2: not TOML: expected "\'"'),
    ],
)
def test_a_mistake_is_told_with_line_key_and_what_was_expected(text: str, problem: str) -> None:
    assert problems_in(text) == [problem]


def test_every_mistake_is_told_at_once_in_order_of_lines() -> None:
    text = """
[defaults]
pane = "7 s"
[[endpoint]]
name = "a b"
windw = "1 d"
lateness = true
[[endpoint.version]]
id = 1
[[endpoint]]
name = "b"
time_zone = "Mars"
"""
    assert [line.split(": ")[0] + " " + line.split(": ")[1] for line in problems_in(text)] == [
        "s.toml:3 defaults.pane",
        "s.toml:5 endpoint[0].name",
        "s.toml:6 endpoint[0].windw",
        "s.toml:7 endpoint[0].lateness",
        "s.toml:8 endpoint[0].version[0].from",
        "s.toml:9 endpoint[0].version[0].id",
        "s.toml:12 endpoint[1].time_zone",
    ]


def test_a_span_that_can_not_be_read_makes_no_second_mistake_of_another() -> None:
    assert len(problems_in("[defaults]\nwindow = '1 dy'\n[[endpoint]]\nname = 'a'\npane = '7 s'")) == 1


def test_a_name_that_can_not_be_read_makes_no_second_mistake_of_the_source() -> None:
    assert len(problems_in("[source]\nunknown_endpoints = 'ignore'\nendpoint = 'a'\n[[endpoint]]\nname = 1")) == 1


def test_what_is_found_is_cut_short() -> None:
    (problem,) = problems_in(f"[limits]\nrows = '{'x' * 1000}'")
    assert len(problem) < 150


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'no such file; "streamer init .*none.toml" writes a first configuration'):
        load(tmp_path / "none.toml", {})


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a TOML file, found a folder"):
        load(tmp_path, {})


def test_a_binary_file_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_bytes(b"# comment\n\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"s\.toml:2: expected a TOML file, found bytes that are not UTF-8 text"):
        load(tmp_path / "s.toml", {})


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_bytes(b"#" * (16 * 1_048_576 + 1))
    with pytest.raises(ConfigError, match="larger than 16 MiB"):
        load(tmp_path / "s.toml", {})


def test_deep_nesting_is_refused() -> None:
    assert problems_in("x = " + "[" * 20_000 + "]" * 20_000) == ["s.toml: not a configuration: nested too deeply"]


def test_a_byte_order_mark_and_other_line_ends_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_bytes(b"\xef\xbb\xbf[limits]\r\nrows = 5\r\ndepth = 0\r\n")
    with pytest.raises(ConfigError, match=r"s\.toml:3: limits\.depth"):
        load(tmp_path / "s.toml", {})


def test_a_thousand_endpoints_are_read() -> None:
    text = "".join(f'[[endpoint]]\nname = "e{i}"\nwindow = "10 min"\n' for i in range(1_000))
    assert len(parse(text, {}).endpoints) == 1_000


_lines = st.sampled_from(
    [
        *FULL.splitlines(),
        "[[endpoint]]",
        "endpoint = 3",
        "[defaults.rules.psi]",
        "[[source]]",
        "window = true",
        "name = []",
    ]
)


@given(st.lists(st.one_of(_lines, st.text(max_size=10)), max_size=12).map("\n".join))
def test_any_text_is_a_configuration_or_a_list_of_mistakes(text: str) -> None:
    try:
        parse(text, {})
    except ConfigError:
        return

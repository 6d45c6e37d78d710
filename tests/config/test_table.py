"""The README's table of keys."""

from pathlib import Path

import jsonschema
import pytest

from streamer.config.model import Config
from streamer.config.table import BEGIN, END, configuration_table, with_table

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_has_the_table_of_today() -> None:
    text = README.read_text(encoding="utf-8")
    assert with_table(text) == text, "run: python -m streamer.config.table README.md"


@pytest.mark.parametrize(
    "row",
    [
        "| `index.sqlite` | text | none | SQLite file of the embedded index; none when left out |",
        '| `source.idle` | duration | `"30 s"` | A shard quiet this long stops holding the others back |',
        "| `endpoint[].name` | text | required | The endpoint's name as SageMaker knows it |",
        "| `endpoint[].version[].from` | time | required | When it took over, with its zone |",
    ],
)
def test_a_key_has_a_row(row: str) -> None:
    assert row in configuration_table().splitlines()


def test_every_row_has_four_cells() -> None:
    assert {line.count("|") for line in configuration_table().splitlines()} == {5}


def test_only_the_text_between_the_markers_changes() -> None:
    assert with_table(f"before\n{BEGIN}\nold\n{END}\nafter").startswith(f"before\n{BEGIN}\n| key |")


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="markers"):
        with_table("nothing here")


def test_the_json_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(Config.model_json_schema())

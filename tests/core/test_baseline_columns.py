import pytest

from streamer.core.baseline.columns import BuildOptions, closest, columns_of, skipped_by
from streamer.core.errors import BaselineError
from streamer.core.schema import Kind, Side

NAMES = ["time", "score", "age", "income", "label"]


def test_outputs_come_last_and_both_sides_are_in_table_order() -> None:
    options = BuildOptions(outputs=("score", "label"), time_column="time")
    assert columns_of(NAMES, options) == [
        ("age", Side.INPUT),
        ("income", Side.INPUT),
        ("score", Side.OUTPUT),
        ("label", Side.OUTPUT),
    ]


def test_skipped_columns_are_no_features() -> None:
    options = BuildOptions(leave_out=("label",), time_column="time")
    assert skipped_by(options) == {"time", "label"}
    assert [column.name for column in columns_of(NAMES, options)] == ["score", "age", "income"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (BuildOptions(outputs=("scroe",)), "output: no column 'scroe', did you mean 'score'?"),
        (BuildOptions(time_column="Time"), "time column: no column 'Time', did you mean 'time'?"),
        (BuildOptions(kinds={"agee": Kind.TEXT}), "kind: no column 'agee', did you mean 'age'?"),
        (BuildOptions(leave_out=("zzzzzz",)), "left out: no column 'zzzzzz'"),
        (BuildOptions(outputs=("a!",), leave_out=("incom",)), "left out: no column 'incom', did you mean 'income'?"),
        (BuildOptions(outputs=("time",), time_column="time"), "column 'time' is no feature"),
        (BuildOptions(kinds={"age": Kind.TEXT}, leave_out=("age",)), "column 'age' is no feature"),
        (BuildOptions(leave_out=tuple(NAMES)), "no column is left"),
    ],
)
def test_what_is_asked_of_columns_that_are_not_there_is_refused(options: BuildOptions, says: str) -> None:
    with pytest.raises(BaselineError) as caught:
        columns_of(NAMES, options)
    assert says in str(caught.value)


def test_nothing_is_suggested_among_no_names() -> None:
    assert closest("x", []) is None

from streamer.core.schema import Feature, Kind, Schema, Side, names_of

FEATURES = (
    Feature(name="x", side=Side.INPUT, kind=Kind.NUMERIC),
    Feature(name="score", side=Side.OUTPUT, kind=Kind.NUMERIC),
    Feature(name="k", side=Side.INPUT, kind=Kind.CATEGORY, values=("a",)),
)


def test_a_sides_features_are_in_payload_order() -> None:
    assert names_of(Schema(FEATURES).of(Side.INPUT)) == ("x", "k")
    assert names_of(Schema(FEATURES).of(Side.OUTPUT)) == ("score",)


def test_numbers_integers_and_lengths_of_texts_are_binned() -> None:
    assert {kind for kind in Kind if kind.is_number} == {Kind.NUMERIC, Kind.INTEGER, Kind.TEXT}

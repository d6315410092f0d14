"""The rows of a study against a plain brute-force product, and words that Hydra reads back as they were meant."""

import itertools
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from s2s_lab.faults import RequestError
from s2s_lab.records.study_rows import expand, row_names, same, word

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.sampled_from([0.0, 0.1, 0.5, 1e-3]),
    st.sampled_from(["gru", "a b"]),
)


def distinct(values: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if not any(same(value, other) for other in kept):
            kept.append(value)
    return kept


@st.composite
def blocks(draw: st.DrawFn) -> tuple[dict[str, list[Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    keys = ["cell", "encoder.dropout", "encoder.hidden_size", "decoder.hidden_size", "bridge"]
    grid_keys = draw(st.lists(st.sampled_from(keys), unique=True, max_size=3))
    rest = [key for key in keys if key not in grid_keys]
    paired_keys = draw(st.lists(st.sampled_from(rest), unique=True, max_size=2))
    values = st.lists(SCALARS, min_size=1, max_size=3).map(distinct)
    grid = {key: draw(values) for key in grid_keys}
    choices = draw(st.lists(st.tuples(*[SCALARS for _ in paired_keys]), min_size=1, max_size=3))
    paired = distinct([dict(zip(paired_keys, choice, strict=True)) for choice in choices]) if paired_keys else []
    everything = brute_force(grid, paired, [])
    without = []
    for combination in draw(st.lists(st.sampled_from(everything), max_size=2)) if everything[0] else []:
        chosen = draw(st.lists(st.sampled_from(list(combination)), unique=True, min_size=1))
        without.append({key: combination[key] for key in chosen})
    return grid, paired, without


def brute_force(
    grid: dict[str, list[Any]], paired: list[dict[str, Any]], without: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{}]
    for key, values in grid.items():
        found = [{**row, key: value} for row in found for value in values]
    if paired:
        found = [{**row, **choice} for row in found for choice in paired]
    return [row for row in found if not any(all(same(row[key], left[key]) for key in left) for left in without)]


@given(blocks())
def test_rows_are_those_of_the_plain_product(block: tuple) -> None:
    grid, paired, without = block
    expected = brute_force(grid, paired, without)
    if not expected:
        with pytest.raises(RequestError, match="nothing is left"):
            expand(grid, paired, without, "here")
        return
    rows = expand(grid, paired, without, "here")
    assert [list(row.items()) for row in rows] == [list(row.items()) for row in expected]


@given(blocks())
def test_names_are_unique_or_refused(block: tuple) -> None:
    rows = brute_force(*block)
    if rows:
        try:
            names = row_names("block", rows, "here")
        except RequestError as error:
            assert "two rows would be called block[" in str(error)
            return
        assert len(set(names)) == len(rows)
        assert all(name == "block" or (name.startswith("block[") and name.endswith("]")) for name in names)


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([{}], ["block"]),
        ([{"encoder.dropout": 0.1, "cell": "gru"}], ["block[dropout=0.1,cell=gru]"]),
        ([{"encoder.hidden_size": 50, "decoder.hidden_size": 50}], ["block[hidden_size=50]"]),
        (
            [{"encoder.size": 50, "decoder.size": 50}, {"encoder.size": 9, "decoder.size": 8}],
            ["block[encoder.size=50,decoder.size=50]", "block[encoder.size=9,decoder.size=8]"],
        ),
        ([{"sizes": [1, 2]}, {"sizes": None}, {"sizes": True}], ["block[sizes=1+2]", "block[sizes=null]",
                                                               "block[sizes=true]"]),
    ],
)  # fmt: skip
def test_names_say_what_was_chosen(rows: list[dict[str, Any]], names: list[str]) -> None:
    assert row_names("block", rows, "here") == names


def test_an_exclusion_of_nothing_and_a_flood_are_refused() -> None:
    with pytest.raises(RequestError, match=r"without\[0\] excludes nothing: a: 3"):
        expand({"a": [1, 2]}, [], [{"a": 3}], "here")
    with pytest.raises(RequestError, match=r"10000000 combinations, expected at most"):
        expand({key: list(range(10)) for key in "abcdefg"}, [], [], "here")


def test_true_is_not_one() -> None:
    assert expand({"a": [1, True]}, [], [{"a": True}], "here") == [{"a": 1}]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0$"), max_size=12)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(-1e300, 1e300), TEXTS),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@given(VALUES)
def test_hydra_reads_back_the_value_that_was_written(value: Any) -> None:
    read = OverridesParser.create().parse_overrides([word("encoder.key", value)])[0]
    assert read.key_or_group == "encoder.key" and not read.is_sweep_override()
    assert read.value() == value or unquoted(read.value()) == value
    assert type(unquoted(read.value())) is type(value)


def unquoted(value: Any) -> Any:
    """Hydra keeps quoted texts inside of lists as objects with their quotes."""
    if isinstance(value, list):
        return [unquoted(item) for item in value]
    return value.text if hasattr(value, "text") else value


def test_words_of_options_stay_plain() -> None:
    words = {"model": "gru_attention", "data": "multi30k", "encoder.dropout": 0.5, "trainer.patience": None}
    assert [word(key, value) for key, value in words.items()] == [
        "model=gru_attention", "data=multi30k", "encoder.dropout=0.5", "trainer.patience=null",
    ]  # fmt: skip
    assert list(itertools.starmap(word, [("name", "a[b=1]"), ("x", "10"), ("y", "Null"), ("z", "it's")])) == [
        "name='a[b=1]'", "x='10'", "y='Null'", "z='it\\'s'",
    ]  # fmt: skip

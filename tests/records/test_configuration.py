"""The hash of a configuration depends on its content alone; differences are found by key."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from s2s_lab.records.configuration import ABSENT, configuration_hash, differing_keys, flatten

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
KEYS = st.text(st.characters(exclude_characters=".", exclude_categories=["Cs"]), min_size=1)
CONFIGURATIONS = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=8)
)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return value


@given(CONFIGURATIONS)
def test_the_order_of_keys_does_not_matter(configuration: dict) -> None:
    assert configuration_hash(configuration) == configuration_hash(reversed_keys(configuration))


@given(CONFIGURATIONS, KEYS, LEAVES)
def test_what_is_left_out_does_not_matter(configuration: dict, key: str, value: Any) -> None:
    without = configuration_hash(configuration, without=(key,))
    assert configuration_hash({**configuration, key: {"a": value}}, without=(key,)) == without


def test_nested_keys_can_be_left_out_and_values_matter() -> None:
    base = {"trainer": {"devices": 1, "steps": 5}, "seed": 1}
    changed = {"trainer": {"devices": 2, "steps": 5}, "seed": 1}
    assert configuration_hash(base) != configuration_hash(changed)
    assert configuration_hash(base, ("trainer.devices",)) == configuration_hash(changed, ("trainer.devices",))
    assert configuration_hash(base, ("trainer",)) == configuration_hash({"seed": 1})
    assert configuration_hash(base, ("no.such.key", "seed.deeper")) == configuration_hash(base)
    assert len(configuration_hash(base)) == 12
    assert "trainer" in base, "hashing must not change its argument"


def test_flattening_keeps_every_leaf() -> None:
    assert flatten({"a": {"b": 1, "c": {}}, "d": [1]}) == {"a.b": 1, "a.c": {}, "d": [1]}


def test_differences_name_every_value_and_what_is_absent() -> None:
    found = differing_keys(
        [{"a": 1, "b": {"c": 1, "d": 2}, "seed": 1}, {"a": 1, "b": {"c": 3}, "seed": 2}], ignoring=("seed",)
    )
    assert found == {"b.c": [1, 3], "b.d": [2, ABSENT]}
    assert differing_keys([{"a": 1}]) == {}

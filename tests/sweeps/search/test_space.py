"""Spaces: every drawn word is one that Hydra reads as the value drawn, and conditions hold."""

import math
import random
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from s2s_lab.assemble.configuration import compose_each
from s2s_lab.faults import RequestError
from s2s_lab.sweeps.search.beginning import MOST_SAMPLES, samples
from s2s_lab.sweeps.search.dimensions import Choice, Numbers
from s2s_lab.sweeps.search.space import Drawn, Space, read_space
from s2s_lab.sweeps.search.suggestion import suggest

WORDS = (
    "model=choice(lstm_attention,gru_attention)",
    "optimizer.lr=tag(log,interval(0.00001,0.01))",
    "encoder.dropout=range(0,0.5,0.1)",
    "encoder.num_layers=int(interval(1,3))",
    "decoder.hidden_size=tag(log,int,interval(8,64))",
    "bridge=copy,projected",
    "trainer.patience=null,3",
    "seed=range(10,0,-3)",
    "trainer.max_steps=7",
)
SPACES = {
    "model=lstm_attention": {"attention": "choice(additive,general)", "attention.dropout": 0.5},
    "model=gru_attention": {"attention": "choice(dot,additive)"},
}


def drawn_at_random(space: Space, count: int) -> list[Drawn]:
    import optuna

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = []
    for _ in range(count):
        trial = study.ask()
        found.append(space.draw(lambda dimension, trial=trial: suggest(trial, dimension)))
    return found


def test_every_drawn_word_is_read_by_hydra_as_the_value_that_was_drawn() -> None:
    parser = OverridesParser.create()
    space = read_space(WORDS)
    for drawn in drawn_at_random(space, 100):
        values = list(drawn.values.values())
        for word, value in zip(parser.parse_overrides(drawn.shown), values, strict=True):
            assert not word.is_sweep_override()
            expected = {"null": None, "3": 3}.get(str(value), value) if isinstance(value, str) else value
            assert word.value() == (pytest.approx(expected, rel=1e-15) if isinstance(value, float) else expected)
        assert drawn.words == [*space.fixed, *drawn.shown]


def test_every_drawn_job_composes_and_its_keys_are_what_was_drawn() -> None:
    spaces = {**SPACES, "model=lstm_attention": {"attention": "choice(additive,general)"}}
    points = drawn_at_random(read_space(WORDS, spaces=spaces), 2)
    for drawn, composed in zip(points, compose_each("train", [point.words for point in points]), strict=True):
        assert composed.optimizer.lr == drawn.values["optimizer.lr"]
        assert composed.encoder.num_layers == drawn.values["encoder.num_layers"]
        chosen = composed.hydra.runtime.choices
        assert chosen.model == drawn.values["model"]
        assert chosen.attention == drawn.values[f"attention [model={chosen.model}]"]


def test_values_lie_where_they_are_asked_for() -> None:
    seen: dict[str, set[Any]] = {}
    for drawn in drawn_at_random(read_space(WORDS), 300):
        for name, value in drawn.values.items():
            seen.setdefault(name, set()).add(value)
    assert {round(value, 9) for value in seen["encoder.dropout"]} == {0.0, 0.1, 0.2, 0.3, 0.4}
    assert seen["encoder.num_layers"] == {1, 2, 3}
    assert seen["seed"] == {10, 7, 4, 1}
    assert seen["trainer.patience"] == {"null", "3"}
    assert all(1e-5 <= value <= 0.01 for value in seen["optimizer.lr"])
    below = sum(value < math.sqrt(1e-5 * 0.01) for value in seen["optimizer.lr"])
    assert 100 < below < 200  # a logarithm drawn evenly: half of all
    assert all(isinstance(value, int) and 8 <= value <= 64 for value in seen["decoder.hidden_size"])


@pytest.mark.parametrize("word", ["a=range(0,0.5,0.1)", "a=range(0.1,0.7,0.1)", "a=range(3)", "a=range(5,0,-2)"])
def test_a_range_holds_what_hydras_own_sweep_would_run(word: str) -> None:
    expected = [float(value) for value in OverridesParser.create().parse_override(word).sweep_iterator()]
    (dimension,) = read_space([word]).dimensions
    options = dimension.values.options()
    assert options is not None
    assert sorted(map(float, options)) == pytest.approx(sorted(expected))
    assert all(len(dimension.values.text(option)) <= 3 for option in options)  # 0.3, never 0.30000000000000004


def test_conditions_hold_and_may_depend_on_each_other() -> None:
    spaces = {**SPACES, "attention=general": {"scale": "interval(0,1)"}}
    space = read_space(["model=lstm_attention,gru_attention"], spaces=spaces)
    for drawn in drawn_at_random(space, 60):
        names, model = set(drawn.values), drawn.values["model"]
        assert f"attention [model={model}]" in names
        assert ("attention.dropout=0.5" in drawn.words) == (model == "lstm_attention")
        assert ("scale [attention=general]" in names) == ("attention=general" in drawn.words)
    fixed = read_space(["model=lstm_attention", "seed=1,2"], spaces={"model=lstm_attention": {"size": "1,2"}})
    assert all(len(drawn.shown) == 2 for drawn in drawn_at_random(fixed, 5))


def test_later_words_win_and_all_of_them_over_params() -> None:
    assert read_space(["a=1,2", "b=5", "a=3", "b=6,7"]).fixed == ("a=3",)
    space = read_space(["a=1,2"], {"a": "choice(5,6)", "b": "interval(0,1)", "c": 3})
    assert space.fixed == ("c=3",)
    assert {dimension.key: dimension.values for dimension in space.dimensions} == {
        "a": Choice(("1", "2")),
        "b": Numbers(0.0, 1.0, None, False, False),
    }


def test_points_are_every_combination_once() -> None:
    space = read_space(["a=1,2", "b=x,y"], spaces={"a=2": {"c": "range(3)"}})
    points = list(space.points(of=lambda dimension: dimension.values.options() or []))
    expected = [("a=1", f"b={b}") for b in "xy"] + [("a=2", f"b={b}", f"c={c}") for b in "xy" for c in range(3)]
    assert [tuple(point.shown) for point in points] == expected


def test_samples_hold_each_option_and_stay_few() -> None:
    chance = random.Random(1)
    for _ in range(20):
        counts = [chance.randint(1, 7) for _ in range(chance.randint(1, 6))]
        words = [f"k{place}=choice({','.join(f'v{n}' for n in range(count))})" for place, count in enumerate(counts)]
        space = read_space([*words, "lr=tag(log,interval(0.01,1))"])
        points = samples(space)
        taken = {word for point in points for word in point.shown}
        assert {f"k{place}=v{n}" for place, count in enumerate(counts) for n in range(count)} <= taken
        assert len({tuple(point.shown) for point in points}) == len(points)
        every = math.prod(counts)
        assert len(points) == every if every <= MOST_SAMPLES else len(points) <= max(counts)
        assert all("lr=0.1" in point.shown for point in points)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a=interval(1,1)"], "smaller one first"),
        (["a=interval(0,inf)"], "two finite numbers"),
        (["a=interval(nan,1)"], "two finite numbers"),
        (["a=tag(log,interval(0,1))"], "begins above 0"),
        (["a=tag(int,interval(0.5,2))"], "0.5 or 2 is none"),
        (["a=range(3,1)"], "nothing lies"),
        (["a=range(0,1,0)"], "step other than 0"),
        (["a=tag(log,range(1,9,2))"], "steps of 1"),
        (["a=tag(lg,interval(1,2))"], "tag lg is unknown"),
        (["a=tag(log,choice(1,2))"], "no order"),
        (["a=1,1"], "the same option twice"),
        (["a=glob(*)"], "glob is not supported"),
        (["a=interval(1"], "cannot read a=interval"),
        (["~a"], "deletes a key"),
    ],
)
def test_spaces_that_make_no_sense_are_refused_in_one_line(words: list[str], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        read_space(words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spaces", "message"),
    [
        ({"model=lstn": {"b": "1,2"}}, "model is never lstn .it is one of lstm, gru"),
        ({"cell=lstm": {"b": "1,2"}}, "nothing draws cell"),
        ({"model=lstm": {"a": "1,2"}}, "a is given elsewhere too"),
        ({"model=lstm": {"b": "1,2"}, "a=1": {"b": "3,4"}}, "b is given elsewhere too"),
        ({"model=lstm,gru": {"b": "1,2"}}, "one choice is expected"),
        ({"model=lstm": "b=1,2"}, "a section of keys"),
        ({"model=lstm": {"b": [1, 2]}}, "b is .1, 2.; choice"),
        ("model", "a section of keys"),
    ],
)
def test_conditions_that_make_no_sense_are_refused_in_one_line(spaces: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        read_space(["model=lstm,gru", "a=1,2"], spaces=spaces)
    assert "\n" not in str(caught.value)

"""Laws of constraints: every option of conf/constraint holds in the outputs of every option of conf/decoding."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
from hydra.utils import instantiate

from s2s_lab.decoding.base import DecodingStrategy, Hypothesis
from s2s_lab.decoding.constraints.base import Constraint
from s2s_lab.decoding.task import Demands
from s2s_lab.faults import RequestError
from tests.contracts.options import options, settings
from tests.contracts.strategies import Alike
from tests.decoding.brute_force import EOS, SPECIAL, TinyModel

STRATEGIES = {
    name: settings("decoding", name)
    for name in options("decoding")
    if name != "forced"  # is told its outputs, and refuses to be told of them twice
}
CONSTRAINTS = {name: node for option in options("constraint") for name, node in settings("constraint", option).items()}
LIMIT, SENTENCES = 6, 12
PREFIXES = tuple(((2, 4, 3), (), (3,), (4, 4))[sentence % 4] for sentence in range(SENTENCES))

FORBIDDEN = ((3, 2), (4, 2, 2))
ODD = (*((state, symbol, 1 - state) for state in (0, 1) for symbol in (2, 3, 4)), (1, EOS, 2))  # outputs of odd length
IN_IDS: dict[str, dict[str, Any]] = {"forbidden": {"ids": FORBIDDEN}, "automaton": {"arcs": ODD, "ending": EOS}}
"""What a constraint of texts is given in ids, by whoever knows the vocabulary."""

every_constraint = pytest.mark.parametrize("name", CONSTRAINTS)
every_strategy = pytest.mark.parametrize("option", STRATEGIES)


def trigrams(ids: tuple[int, ...]) -> list[tuple[int, ...]]:
    return list(zip(ids, ids[1:], ids[2:], strict=False))


HOLDS: dict[str, Callable[[TinyModel, int, Hypothesis], bool]] = {
    "no_repeat": lambda model, sentence, found: len(set(trigrams(found.ids))) == len(trigrams(found.ids)),
    "min_length_ratio": lambda model, sentence, found: (
        not found.finished or len(found.ids) + 1 >= 0.5 * int(model.source_lengths[sentence])
    ),
    "prefix": lambda model, sentence, found: found.ids[: len(PREFIXES[sentence])] == PREFIXES[sentence],
    "forbidden": lambda model, sentence, found: (
        not any(
            found.ids[start : start + len(phrase)] == phrase for phrase in FORBIDDEN for start in range(len(found.ids))
        )
    ),
    "automaton": lambda model, sentence, found: found.finished and len(found.ids) % 2 == 1,
}
"""What each hard constraint, as its file sets it, promises of an output."""


def constraint(name: str, **changes: Any) -> Constraint:
    special = {"eos": EOS} if CONSTRAINTS[name].get("_partial_") else {}
    return instantiate(CONSTRAINTS[name] | changes, _partial_=True)(**special, **IN_IDS.get(name, {}))


def soft(name: str) -> bool:
    return constraint(name).soft


def strategy(option: str, *names: str) -> DecodingStrategy:
    settings = {**SPECIAL, "max_length": LIMIT, "constraints": tuple(map(constraint, names))}
    widths = {key: 3 for key in ("size", "num_hypotheses", "num_samples") if key in STRATEGIES[option]}
    node = STRATEGIES[option] | widths
    if node.pop("utility", None) is not None:
        settings["utility"] = Alike()
    return instantiate(node)(**settings)


def decoded(option: str, model: TinyModel, *names: str) -> list[list[Hypothesis]]:
    asked = Demands(prefixes=PREFIXES) if "prefix" in names else None
    return strategy(option, *names).decode(**model.arguments(), demands=asked)


def a_model(**options: Any) -> TinyModel:
    return TinyModel(vocab=5, limit=LIMIT, batch=SENTENCES, **options)


def test_every_hard_constraint_has_its_promise_here() -> None:
    assert HOLDS.keys() == {name for name in CONSTRAINTS if not soft(name)}


@every_strategy
@every_constraint
def test_it_holds_in_every_output_and_log_probabilities_stay_the_models_own(name: str, option: str) -> None:
    model = a_model(seed=1)
    if soft(name) and not strategy(option).takes_soft:
        called = strategy(option).name
        with pytest.raises(RequestError, match=rf"^constraint\.{name}: decoding={called} takes no"):
            strategy(option, name)
        return
    for sentence, nbest in enumerate(decoded(option, model, name)):
        assert nbest
        for found in nbest:
            assert HOLDS.get(name, lambda *_: True)(model, sentence, found)
            own = model.output(sentence, found.ids, found.finished).log_prob
            assert math.isclose(found.log_prob, own, abs_tol=1e-9)


@every_constraint
def test_it_changes_outputs_of_a_beam(name: str) -> None:
    """Over outputs with a short way to their end and over long ones, so that each constraint has something to do."""
    changed = 0
    for model in (a_model(order=1, ends=-3.0, seed=2), a_model(ends=2.0, seed=2)):
        plain, constrained = decoded("beam", model), decoded("beam", model, name)
        changed += [nbest[0].ids for nbest in plain] != [nbest[0].ids for nbest in constrained]
    assert changed


@every_strategy
def test_all_that_fit_hold_together(option: str) -> None:
    names = [name for name in CONSTRAINTS if strategy(option).takes_soft or not soft(name)]
    names.remove("no_repeat")  # a prefix may hold a repetition, and then there is no output
    model = a_model(seed=3)
    for sentence, nbest in enumerate(decoded(option, model, *names)):
        for found in nbest:
            assert all(HOLDS[name](model, sentence, found) for name in names if name in HOLDS)


@pytest.mark.parametrize(
    ("name", "option"),
    [pair for pair in itertools.product(CONSTRAINTS, STRATEGIES) if strategy(pair[1]).takes_soft or not soft(pair[0])],
)
def test_batching_changes_nothing(name: str, option: str) -> None:
    model = a_model(seed=4)
    whole = decoded(option, model, name)
    for sentence in range(0, SENTENCES, 3):
        asked = Demands(prefixes=PREFIXES[sentence : sentence + 1]) if name == "prefix" else None
        (alone,) = strategy(option, name).decode(**model.arguments([sentence]), demands=asked)
        assert [(each.ids, each.finished) for each in alone] == [(each.ids, each.finished) for each in whole[sentence]]
        for each, expected in zip(alone, whole[sentence], strict=True):
            assert math.isclose(each.score, expected.score, abs_tol=1e-9)


@every_constraint
def test_the_signature_is_one_word_that_names_every_option(name: str) -> None:
    first = constraint(name).signature()
    assert first.split(":")[0] == name and not set(first) & set(" \t\n|")
    for key, value in CONSTRAINTS[name].items():
        if isinstance(value, int | float) and not key.startswith("_"):
            assert constraint(name, **{key: value + 1}).signature() != first

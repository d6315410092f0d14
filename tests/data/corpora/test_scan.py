"""Laws of the SCAN generator and of its splits."""

from collections import Counter
from itertools import pairwise

import pytest

from s2s_lab.data.corpora.scan import ScanCorpus, commands
from s2s_lab.faults import RequestError

ACTIONS = {"walk": "I_WALK", "look": "I_LOOK", "run": "I_RUN", "jump": "I_JUMP"}

TABLE = [
    ({"split": "simple"}, 16728, 4182),
    ({"split": "simple", "fraction": 0.01}, 209, 20910 - 209),
    ({"split": "simple", "fraction": 0.02}, 418, 20910 - 418),
    ({"split": "simple", "fraction": 0.04}, 836, 20910 - 836),
    ({"split": "simple", "fraction": 0.08}, 1672, 20910 - 1672),
    ({"split": "simple", "fraction": 0.16}, 3345, 20910 - 3345),
    ({"split": "simple", "fraction": 0.32}, 6691, 20910 - 6691),
    ({"split": "simple", "fraction": 0.64}, 13382, 20910 - 13382),
    ({"split": "length"}, 16990, 3920),
    ({"split": "jump"}, 14670, 7706),
    ({"split": "turn_left"}, 21890, 1208),
    ({"split": "around_right"}, 15225, 4476),
    *[({"split": "jump", "composed": k}, 14670 + k, 7706 - k) for k in (1, 2, 4, 8, 16, 32)],
]


def interpret(command: str) -> list[str]:
    """What a command means, read word by word from the rules of the grammar."""
    words = command.split()
    for joint in ("and", "after"):
        if joint in words:
            place = words.index(joint)
            first, second = interpret(" ".join(words[:place])), interpret(" ".join(words[place + 1 :]))
            return first + second if joint == "and" else second + first
    if words[-1] in ("twice", "thrice"):
        return interpret(" ".join(words[:-1])) * {"twice": 2, "thrice": 3}[words[-1]]
    action = [] if words[0] == "turn" else [ACTIONS[words[0]]]
    if len(words) == 1:
        return action
    turn = ["I_TURN_LEFT" if words[-1] == "left" else "I_TURN_RIGHT"]
    if len(words) == 2:
        return turn + action
    return {"opposite": turn + turn + action, "around": (turn + action) * 4}[words[1]]


def published_train(corpus: ScanCorpus) -> list[tuple[str, str]]:
    return [*corpus.pairs("train"), *corpus.pairs("validation")]


def test_the_grammar_gives_every_command_once_with_the_published_words_and_lengths() -> None:
    meanings = commands()
    assert len(meanings) == 20910
    assert len({word for command in meanings for word in command.split()}) == 13
    assert {action for actions in meanings.values() for action in actions.split()} == {
        *ACTIONS.values(), "I_TURN_LEFT", "I_TURN_RIGHT",
    }  # fmt: skip
    assert {len(command.split()) for command in meanings} == set(range(1, 10))
    lengths = {len(actions.split()) for actions in meanings.values()}
    assert (min(lengths), max(lengths)) == (1, 48)
    assert sorted(length for length in lengths if length > 22) == [24, 25, 26, 27, 28, 30, 32, 33, 36, 40, 48]


def test_every_command_means_what_an_independent_reading_of_the_rules_says() -> None:
    wrong = [command for command, actions in commands().items() if actions.split() != interpret(command)]
    assert wrong == []


@pytest.mark.parametrize(("options", "train", "test"), TABLE, ids=lambda value: str(value))
def test_the_published_training_and_test_sizes_hold(options: dict, train: int, test: int) -> None:
    corpus = ScanCorpus(**options)
    assert (len(published_train(corpus)), len(list(corpus.pairs("test")))) == (train, test)
    assert len(list(corpus.pairs("validation"))) == max(1, int(train * 0.05))


@pytest.mark.parametrize(("options", "train", "test"), TABLE, ids=lambda value: str(value))
def test_training_and_test_share_no_command(options: dict, train: int, test: int) -> None:
    corpus = ScanCorpus(**options)
    assert not {source for source, _ in published_train(corpus)} & {source for source, _ in corpus.pairs("test")}


@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.3])
def test_train_and_validation_are_the_published_training_multiset_whatever_is_held_out(fraction: float) -> None:
    first = ScanCorpus(split="jump", validation_fraction=0.1)
    other = ScanCorpus(split="jump", validation_fraction=fraction)
    assert Counter(published_train(first)) == Counter(published_train(other))
    assert Counter(source for source, _ in published_train(first))["jump"] == 1467


def test_each_rule_divides_by_what_it_names() -> None:
    length = ScanCorpus(split="length")
    assert max(len(target.split()) for _, target in published_train(length)) == 22
    assert min(len(target.split()) for _, target in length.pairs("test")) == 24
    left = Counter(source for source, _ in published_train(ScanCorpus(split="turn_left")))
    assert left["turn left"] == 2189
    assert not [source for source in left if "turn left" in source and source != "turn left"]
    right = ScanCorpus(split="around_right")
    assert not [source for source, _ in published_train(right) if "around right" in source]
    assert all("around right" in source and "turn around right" not in source for source, _ in right.pairs("test"))


def test_composed_examples_come_out_of_the_jump_test_set_and_grow() -> None:
    tests = [{pair for pair in ScanCorpus(split="jump", composed=k).pairs("test")} for k in (0, 1, 4, 32)]
    assert all(larger > smaller for larger, smaller in pairwise(tests))
    moved = tests[0] - tests[-1]
    assert len(moved) == 32
    assert moved <= set(published_train(ScanCorpus(split="jump", composed=32)))


def test_random_choices_follow_from_the_split_seed_and_smaller_training_sets_lie_in_larger_ones() -> None:
    assert list(ScanCorpus(split_seed=3).pairs("test")) == list(ScanCorpus(split_seed=3).pairs("test"))
    assert set(ScanCorpus(split_seed=3).pairs("test")) != set(ScanCorpus(split_seed=4).pairs("test"))
    small, large = (set(published_train(ScanCorpus(fraction=fraction))) for fraction in (0.02, 0.04))
    assert small < large


def test_the_fingerprint_tells_splits_and_seeds_apart() -> None:
    prints = [ScanCorpus(**options).fingerprint()["train"] for options, _, _ in TABLE]
    assert len(set(prints)) == len(TABLE)
    assert ScanCorpus(split_seed=1).fingerprint() != ScanCorpus(split_seed=2).fingerprint()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "hump"}, r"data\.split=hump: one of simple, length"),
        ({"split": "length", "fraction": 0.5}, r"data\.fraction=0\.5 data\.split=length"),
        ({"fraction": 1.5}, r"data\.fraction=1\.5"),
        ({"split": "simple", "composed": 4}, r"data\.composed=4 data\.split=simple"),
        ({"split": "jump", "composed": 7706}, r"data\.composed=7706: fewer than 7706"),
        ({"validation_fraction": 0.0}, r"data\.validation_fraction=0\.0"),
        ({"fraction": 0.00005}, r"1 training commands are too few"),
        ({"source": "action", "target": "command"}, "from command to action only"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_by_name(options: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        list(ScanCorpus(**options).pairs("train"))

"""Letters, marks and effect sizes of a leaderboard say the same as the tests behind them."""

import itertools
from pathlib import Path

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.metrics.letters import shared
from s2s_lab.metrics.recorded import aggregate_of
from s2s_lab.metrics.seeds import hedges_g
from s2s_lab.metrics.significance import approximate_randomization, holm, paired_bootstrap
from s2s_lab.reports import telling_apart
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.effects import effect_kind, effect_of
from s2s_lab.reports.entries import LEVEL, Comparison
from s2s_lab.reports.leaderboard import leaderboard
from s2s_lab.reports.runs import collect
from s2s_lab.reports.wording import explanation
from tests.reports.synthetic import evaluate, sentences, write_run

SINGLE = {"bootstrap": paired_bootstrap, "randomization": approximate_randomization}


@pytest.mark.parametrize("test", ["bootstrap", "randomization"])
def test_letters_and_marks_are_those_of_all_pairs_tested_one_by_one(runs: Path, test) -> None:
    (split,) = compare(collect([runs]), test=test).splits
    assert split.monitor is not None
    metric = aggregate_of(split.monitor.name, split.monitor.signature)
    statistics = [[item.statistics("bleu") for item in entry.evaluations] for entry in split.entries]
    pairs = list(itertools.combinations(range(len(split.entries)), 2))
    p_values = [
        SINGLE[test](metric, statistics[b], statistics[a], samples=1000, seed=telling_apart.TEST_SEED).p_value
        for a, b in pairs
    ]
    corrected = dict(zip(pairs, holm(p_values), strict=True))
    assert split.tests == len(pairs)
    for (a, b), p_value in corrected.items():
        assert shared(split.entries[a].letters, split.entries[b].letters) == (p_value >= LEVEL)
    for place, entry in enumerate(split.entries[1:], start=1):
        assert entry.versus is not None
        assert entry.versus.p_value == corrected[0, place]
        assert entry.versus.worse != shared(entry.letters, split.entries[0].letters)
    assert any(entry.versus.worse for entry in split.entries if entry.versus)


def test_effects_are_against_the_best_and_shown_with_their_interval(comparison: Comparison) -> None:
    (split,) = comparison.splits
    best = split.entries[0].measures["bleu"].values
    board = leaderboard(split)
    column = [column.title for column in board.columns].index("g")
    for entry, line in zip(split.entries[1:], board.lines[1:], strict=True):
        assert entry.versus is not None
        assert entry.versus.effect == hedges_g(entry.measures["bleu"].values, best)
        assert line.cells[column].text.startswith("\u2212") and " to " in line.cells[column].spread
    assert board.lines[0].cells[column].text == ""


def test_one_seed_each_has_an_effect_over_sentences(tmp_path: Path) -> None:
    made = sentences(20, hostile=False)
    for model, quality in (("gru", 0.9), ("lstm", 0.5)):
        write_run(tmp_path, model, 1, made=made, quality=quality, strategies=("greedy",))
    (split,) = compare(collect([tmp_path]), samples=100).splits
    versus = split.entries[1].versus
    assert effect_kind(split) == "d" and versus is not None
    assert effect_of(split.entries[1], "d").value == versus.test.effect < 0
    assert any(line.startswith("d: effect size") for line in explanation(split))


def test_many_rows_are_tested_against_the_best_alone_and_it_is_said(runs: Path, monkeypatch) -> None:
    monkeypatch.setattr(telling_apart, "MOST_ENTRIES", 5)
    (split,) = compare(collect([runs]), samples=100).splits
    assert split.tests == 5
    assert not any(entry.letters for entry in split.entries)
    assert any("no letters" in note for note in split.notes)
    assert "Letters" not in [column.title for column in leaderboard(split).columns]
    assert any("Holm-corrected over 5 tests" in line for line in explanation(split))


def test_samples_grow_with_the_number_of_tests_so_that_something_can_be_found(tmp_path: Path) -> None:
    made = sentences(12, hostile=False)
    for place in range(9):
        write_run(tmp_path, f"m{place}", 1, made=made, strategies=("greedy",), quality=1.0 if place == 0 else 0.1)
    (split,) = compare(collect([tmp_path])).splits
    (versus, *_) = [entry.versus for entry in split.entries if entry.versus]
    assert split.tests == 36 and versus.test.samples == 1440
    assert split.tests / (versus.test.samples + 1) < LEVEL
    assert not any("too few" in note for note in split.notes)


def test_randomization_of_unequal_seeds_is_refused_by_name(tmp_path: Path) -> None:
    made = sentences(6, hostile=False)
    for seed in (1, 2):
        write_run(tmp_path, "gru", seed, made=made, strategies=("greedy",), quality=0.9)
    write_run(tmp_path, "lstm", 1, made=made, strategies=("greedy",), quality=0.2)
    with pytest.raises(RequestError, match=r"gru · greedy has 2, lstm · greedy has 1; expected equally many seeds"):
        compare(collect([tmp_path]), test="randomization")


def test_rows_of_other_splits_are_named(tmp_path: Path) -> None:
    made = sentences(6, hostile=False)
    for model in ("gru", "lstm"):
        write_run(tmp_path, model, 1, made=made, strategies=("greedy",))
    alone = write_run(tmp_path, "rnn", 1, made=made, strategies=())
    evaluate(alone, "greedy", made, 0.5, 1, split="validation", metrics=(ExactMatch(),))
    test, validation = compare(collect([tmp_path]), samples=20).splits
    assert "not evaluated on test: rnn (only validation)" in test.notes
    assert "not evaluated on validation: gru (only test), lstm (only test)" in validation.notes

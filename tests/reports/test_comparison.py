"""Comparisons agree with the metrics they are made of, and refuse what cannot be compared."""

import math
from pathlib import Path

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.metrics.mean_log_prob import MeanLogProb
from s2s_lab.metrics.perplexity import perplexity
from s2s_lab.metrics.significance import t_interval
from s2s_lab.records.durable import read_json, write_json
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.decoders import decoder_tables
from s2s_lab.reports.entries import Comparison
from s2s_lab.reports.runs import collect
from s2s_lab.reports.wording import ALONE, explanation
from tests.reports.synthetic import evaluate, sentences, write_run

MADE = sentences(12, hostile=False)


def change_scores(folder: Path, **changes) -> None:
    write_json(folder / "scores.json", {**read_json(folder / "scores.json"), **changes})


def test_entries_are_ranked_and_every_other_is_tested_against_the_best(comparison: Comparison) -> None:
    (split,) = comparison.splits
    assert split.monitor is not None and split.monitor.name == "bleu"
    means = [entry.measures["bleu"].interval.mean for entry in split.entries]
    assert means == sorted(means, reverse=True)
    assert [entry.best for entry in split.entries] == [True] + [False] * 5
    assert split.entries[0].label == "gru_attention · beam"
    for entry in split.entries[1:]:
        assert entry.versus is not None
        assert entry.versus.p_value >= entry.versus.test.p_value, "Holm's correction never lowers a p-value"
        difference = entry.measures["bleu"].interval.mean - means[0]
        assert entry.versus.test.difference == pytest.approx(difference, abs=1e-9)


def test_intervals_are_those_of_the_recorded_scores(comparison: Comparison) -> None:
    for entry in comparison.splits[0].entries:
        values = [
            next(score["value"] for score in item.facts["scores"] if score["name"] == "bleu")
            for item in entry.evaluations
        ]
        assert entry.measures["bleu"].interval == t_interval(values)


def test_recorded_statistics_give_the_recorded_score(comparison: Comparison) -> None:
    evaluation = comparison.splits[0].entries[0].evaluations[0]
    for score, metric in zip(evaluation.facts["scores"], (BLEU(lowercase=True), ExactMatch()), strict=True):
        statistics = evaluation.statistics(score["name"])
        assert float(metric.aggregate(statistics.sum(axis=0))) == pytest.approx(score["value"], abs=1e-9)


def test_one_run_alone_is_shown_without_test_or_interval(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=("greedy",))
    (split,) = compare(collect([run.path])).splits
    (entry,) = split.entries
    assert entry.best and entry.versus is None
    assert math.isnan(entry.measures["bleu"].interval.low)


def test_rows_without_evaluation_are_named(tmp_path: Path) -> None:
    write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    found = compare(collect([tmp_path]))
    assert found.splits == ()
    assert [row.label for row in found.unevaluated] == ["gru"]


def test_equal_outputs_are_not_told_apart(tmp_path: Path) -> None:
    write_run(tmp_path, "gru", 1, made=MADE, strategies=("greedy",))
    write_run(tmp_path, "lstm", 1, made=MADE, strategies=("greedy",))
    (split,) = compare(collect([tmp_path]), samples=100).splits
    versus = split.entries[1].versus
    assert versus is not None
    assert (versus.test.difference, versus.p_value, versus.worse) == (0.0, 1.0, False)


def test_different_signatures_are_refused_by_their_difference(tmp_path: Path) -> None:
    write_run(tmp_path, "gru", 1, made=MADE, strategies=("greedy",))
    other = write_run(tmp_path, "lstm", 1, made=MADE, strategies=())
    evaluate(other, "greedy", MADE, 0.5, 1, metrics=(BLEU(lowercase=False), ExactMatch()))
    with pytest.raises(
        RequestError, match=r"bleu of gru and of lstm have different signatures \(case:lc and case:mixed"
    ):
        compare(collect([tmp_path]))
    (split,) = compare(collect([tmp_path]), only=["exact_match"], samples=10).splits
    assert [kind.name for kind in split.scores] == ["exact_match"]
    assert "bleu" in split.notes[0], "that another score than the monitored one ranks must be said"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_fingerprint": "other"}, "different data .*other"),
        ({"sentences": 11}, r"different numbers of sentences \(12 and 11\)"),
    ],
)
def test_different_data_is_refused(tmp_path: Path, changes: dict, message: str) -> None:
    write_run(tmp_path, "gru", 1, made=MADE, strategies=("greedy",))
    other = write_run(tmp_path, "lstm", 1, made=MADE, strategies=())
    change_scores(evaluate(other, "greedy", MADE, 0.5, 1), **changes)
    with pytest.raises(RequestError, match=message):
        compare(collect([tmp_path]))


def test_different_data_may_be_compared_apart(tmp_path: Path) -> None:
    """Each data gives what it gives alone, a run with several strategies its own table of decoders."""
    for name, made, fingerprint in (("one", MADE, "1" * 16), ("other", sentences(7, seed=3), "2" * 16)):
        for model, quality in (("gru", 0.5), ("lstm", 0.8)):
            run = write_run(tmp_path / name, f"{model}_{name}", 1, made=made, strategies=())
            for strategy in ("greedy", "beam"):
                evaluate(run, strategy, made, quality, 1, fingerprint=fingerprint)
    with pytest.raises(RequestError, match="different numbers of sentences"):
        compare(collect([tmp_path]), samples=20)
    together = compare(collect([tmp_path]), samples=20, apart=True)
    tables = decoder_tables(together)
    assert [split.fingerprint for split in together.splits] == ["1" * 16, "2" * 16]
    assert len({split.split for split in together.splits}) == 2
    for split, name in zip(together.splits, ("one", "other"), strict=True):
        collection = collect([tmp_path / name])
        alone = compare(collection, samples=20)
        assert [each.split for each in compare(collection, samples=20, apart=True).splits] == ["test"]
        (own,) = alone.splits
        assert [(e.label, e.measures, e.versus, e.best) for e in split.entries] == [
            (e.label, e.measures, e.versus, e.best) for e in own.entries
        ]
        assert [row.run for row in tables[split.split].rows] == [row.run for row in decoder_tables(alone)["test"].rows]


def test_rows_that_others_decode_with_have_the_parameters_of_one(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=("greedy",))
    (alone,) = compare(collect([tmp_path]), samples=20).splits
    assert not any(ALONE in line for line in explanation(alone))
    evaluate(run, "greedy", MADE, 0.9, 1, facts={"signature": "greedy|max_length:200|together:probabilities,equal,ab"})
    (split,) = compare(collect([tmp_path]), samples=20).splits
    (said,) = [line for line in explanation(split) if ALONE in line]
    ensemble = [e.label for e in split.entries if "together" in e.evaluations[0].facts["signature"]]
    assert len(split.entries) == 2 and all(label in said for label in ensemble)
    assert not any(e.label in said.replace(ensemble[0], "") for e in split.entries if e.label not in ensemble)


@pytest.mark.parametrize("only", [None, ["bleu", "exact_match", "token_log_prob"]])
def test_scores_of_the_tokens_of_different_vocabularies_are_left_out_and_said(
    tmp_path: Path, only: list[str] | None
) -> None:
    for vocabulary, model in (("a", "gru"), ("b", "lstm")):
        run = write_run(tmp_path, model, 1, made=MADE, strategies=())
        folder = evaluate(run, "greedy", MADE, 0.6, 1)
        scores = [
            perplexity([-1.0] * 12, [3] * 12, vocabulary=vocabulary),
            MeanLogProb(per="token").score([-1.0] * 12, [3] * 12),
        ]
        facts = ("name", "value", "signature", "higher_is_better")
        kept = [{key: getattr(score, key) for key in facts} for score in scores]
        change_scores(folder, scores=[*read_json(folder / "scores.json")["scores"], *kept])
    (split,) = compare(collect([tmp_path]), samples=100, only=only).splits
    assert [kind.name for kind in split.scores] == ["bleu", "exact_match"]
    name = "perplexity" if only is None else "token_log_prob"
    assert split.notes == (f"{name} is left out: it was measured over different vocabularies",)


def test_settings_of_one_strategy_are_told_apart(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=("beam",))
    folder = evaluate(run, "beam", MADE, 0.9, 1)
    change_scores(folder, signature="beam|size:10|max_length:200")
    folder.rename(folder.with_name("beam-ten"))
    evaluate(run, "beam", MADE, 0.7, 1)
    (split,) = compare(collect([tmp_path]), samples=10).splits
    assert {entry.strategy for entry in split.entries} == {"beam (size 10)", "beam (size 5)"}


@pytest.mark.parametrize(
    ("facts", "label"),
    [
        ({"replace_unknown": True}, "beam (unknown words replaced)"),
        ({"demands": {"required_file": "0123456789abcdef"}}, "beam (required_file 01234567)"),
        ({"configuration": {"size": 5, "patience": 2}}, "beam (patience 2)"),
    ],
)
def test_no_evaluation_of_a_run_takes_the_place_of_another(tmp_path: Path, facts: dict, label: str) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    for number, more in enumerate([{"configuration": {"size": 5}}, facts]):
        folder = evaluate(run, "beam", MADE, 0.9 - 0.3 * number, 1)
        change_scores(folder, **{"configuration": {"size": 5}, **more})
        folder.rename(folder.with_name(f"beam-{number}"))
    (split,) = compare(collect([tmp_path]), samples=10).splits
    assert (
        len(split.entries) == 2 and split.entries[0].measures["bleu"].values > split.entries[1].measures["bleu"].values
    )
    assert split.entries[1].strategy == label


def test_ensembles_of_the_seeds_are_one_row_whatever_model_each_has_beside_it(tmp_path: Path) -> None:
    for seed, model in ((1, "f0b8ab2bc05a"), (2, "0123456789ab"), (3, "db2a05602952")):
        run = write_run(tmp_path, "gru", seed, made=MADE, strategies=("beam",))
        folder = evaluate(run, "beam", MADE, 0.9, seed)
        change_scores(folder, signature=f"beam|size:5|max_length:200|together:probabilities,equal,{model}")
        folder.rename(folder.with_name("beam-together"))
        evaluate(run, "beam", MADE, 0.7, seed)
    (split,) = compare(collect([tmp_path]), samples=10).splits
    assert {entry.strategy: len(entry.runs) for entry in split.entries} == {
        "beam": 3, "beam (together probabilities,equal)": 3,
    }  # fmt: skip


def test_ensembles_of_other_sizes_are_other_rows(tmp_path: Path) -> None:
    for seed in (1, 2):
        run = write_run(tmp_path, "gru", seed, made=MADE, strategies=())
        for models in ("f0b8ab2bc05a,0123456789ab", f"{seed}123456789ab,db2a05602952,c0ffee00babe"):
            folder = evaluate(run, "beam", MADE, 0.9, seed)
            change_scores(folder, signature=f"beam|size:5|together:probabilities,equal,{models}")
            folder.rename(folder.with_name(f"beam-{len(models)}"))
    (split,) = compare(collect([tmp_path]), samples=10).splits
    assert {entry.strategy: len(entry.runs) for entry in split.entries} == {"beam (3 models)": 2, "beam (4 models)": 2}


def test_two_ensembles_of_one_run_are_told_apart(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    for model in ("f0b8ab2bc05a", "0123456789ab"):
        folder = evaluate(run, "beam", MADE, 0.9, 1)
        change_scores(folder, signature=f"beam|size:5|max_length:200|together:probabilities,equal,{model}")
        folder.rename(folder.with_name(f"beam-{model}"))
    (split,) = compare(collect([tmp_path]), samples=10).splits
    assert sorted(entry.strategy for entry in split.entries) == ["beam (with 0123456789ab)", "beam (with f0b8ab2bc05a)"]


@pytest.mark.parametrize(
    ("shortlists", "expected"),
    [
        ([None, {"translations": 8, "share": 0.5}], {"beam", "beam (shortlist)"}),
        ([{"translations": 8, "share": 0.5}] * 2, {"beam"}),
        (
            [None, {"translations": 8, "share": 0.5}, {"translations": 16, "share": 0.5}],
            {"beam", "beam (shortlist translations 8)", "beam (shortlist translations 16)"},
        ),
    ],
)
def test_shortlists_are_told_apart(tmp_path: Path, shortlists: list[dict | None], expected: set[str]) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    for number, shortlist in enumerate(shortlists):
        folder = evaluate(run, "beam", MADE, 0.9, 1)
        change_scores(folder, shortlist=shortlist)
        folder.rename(folder.with_name(f"beam-{number}"))
    (split,) = compare(collect([tmp_path]), samples=10).splits
    assert {entry.strategy for entry in split.entries} == expected


def test_outputs_that_were_handed_in_are_compared_with_nothing(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=("greedy",))
    evaluate(run, "forced", MADE, 1.0, 1, facts={"given_outputs": True})
    (split,) = compare(collect([tmp_path]), samples=10).splits
    assert [entry.strategy for entry in split.entries] == ["greedy"]
    assert any("handed in" in note for note in split.notes)


def test_a_score_that_is_not_finite_is_shown_but_does_not_rank(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    folder = evaluate(run, "greedy", MADE, 0.6, 1)
    scores = read_json(folder / "scores.json")["scores"]
    change_scores(folder, scores=[{**scores[0], "value": None}, scores[1]])
    (split,) = compare(collect([tmp_path]), samples=10).splits
    assert "bleu" not in split.entries[0].measures
    assert split.monitor is not None and split.monitor.name == "exact_match"


def test_an_unknown_score_is_named(runs: Path) -> None:
    with pytest.raises(RequestError, match="--metrics meteor: no evaluation has it; recorded are bleu, exact_match"):
        compare(collect([runs]), only=["meteor"])


def test_missing_statistics_are_named(tmp_path: Path) -> None:
    write_run(tmp_path, "gru", 1, made=MADE, strategies=("greedy",))
    other = write_run(tmp_path, "lstm", 1, made=MADE, strategies=("greedy",))
    (folder,) = other.evaluation_folders()
    (folder / "segments.jsonl").write_text('{"source_length": 1, "reference_length": 1, "statistics": {}}\n' * 12)
    with pytest.raises(RequestError, match=r"segments\.jsonl, line 1: no statistics of bleu"):
        compare(collect([tmp_path]), samples=10)


def test_statistics_have_one_row_a_sentence(comparison: Comparison) -> None:
    split = comparison.splits[0]
    statistics = split.entries[0].evaluations[0].statistics("exact_match")
    assert statistics.shape == (split.sentences, 2)
    assert statistics.dtype == np.float64

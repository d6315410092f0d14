"""Evaluation and translation with further runs: ensembles, a language model, rerankers, a simultaneous reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.grid import evaluate_runs
from s2s_lab.assemble.inference import build_strategy, load_model
from s2s_lab.assemble.together import together_of
from s2s_lab.assemble.translation import translate_lines
from s2s_lab.faults import RequestError
from s2s_lab.inference.decode import decode
from s2s_lab.inference.frozen import length_sorted_batches
from s2s_lab.inference.rerank import Reranker, rerank
from s2s_lab.inference.score import score_by_steps
from s2s_lab.inference.view import Network
from s2s_lab.records.run_folder import RunFolder
from tests.assemble.test_experiment import run

CPU = torch.device("cpu")
Runs = dict[str, RunFolder]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    return {
        "one": run(folder, "model=gru_attention"),
        "two": run(folder, "model=lstm", "seed=2"),
        "language": run(folder, "model=lm"),
        "backwards": run(folder, "tokenizer@target_tokenizer=reversed_whitespace"),
        "other": run(folder, "data.corpus.num_letters=7"),
    }


def settings(name: str, *words: str) -> dict[str, Any]:
    words = ("decoding=beam", "decoding.max_length=9", "accelerator=cpu", "num_threads=1", *words)
    return plain(compose_jobs(name, list(words), multirun=False, folder=None)[0])


def evaluated(made: RunFolder, *words: str) -> tuple[Path, dict[str, Any], dict[str, float]]:
    ((_, folder, facts),) = evaluate_runs(settings("evaluate", f"runs=[{made.path}]", "precision=float64", *words))
    return folder, facts, {score["name"]: score["value"] for score in facts["scores"]}


def nbest(folder: Path) -> list[list[dict[str, Any]]]:
    return [json.loads(line)["hypotheses"] for line in (folder / "nbest.jsonl").read_text().splitlines()]


def judged(made: RunFolder, sources: list[str], outputs: list[str]) -> list[float]:
    """The log-probability of each output, one by one and step by step."""
    model = load_model(made.path, device=CPU, precision="float64")
    found = []
    for source, output in zip(sources, outputs, strict=True):
        batches = length_sorted_batches([model.source.ids(source)], [model.target.ids(output)], sentences=1)
        found.append(score_by_steps(model.network, batches, device=CPU)[0][0])
    return found


def rerank_word(*nodes: tuple[RunFolder, str, float]) -> str:
    return (
        f"rerank=[{','.join(f'{{run: {made.path}, kind: {kind}, weight: {weight}}}' for made, kind, weight in nodes)}]"
    )


def test_neutral_values_change_neither_folder_nor_facts(runs: Runs) -> None:
    folder, facts, _ = evaluated(runs["one"])
    same, _, _ = evaluated(
        runs["one"], "together=[]", "language_model=null", "language_model_weight=0.7", "rerank=[]", "wait_k=null"
    )
    assert same == folder and "together" not in facts and facts["signature"].count("together") == 0


def test_an_ensemble_is_recorded_apart_and_a_run_with_itself_is_itself(runs: Runs) -> None:
    alone, _, scores = evaluated(runs["one"])
    twice, facts, of_twice = evaluated(runs["one"], f"together=[{runs['one'].path}]")
    assert twice != alone and "together:probabilities,equal," in facts["signature"]
    assert facts["together"] == {"together": [str(runs["one"].path)]}
    assert (twice / "hypotheses.txt").read_text() == (alone / "hypotheses.txt").read_text()
    assert of_twice == pytest.approx(scores, rel=1e-6)
    first, _, of_first = evaluated(runs["one"], f"together=[{runs['two'].path}]", "together_weights=[1,0]")
    assert (first / "hypotheses.txt").read_text() == (alone / "hypotheses.txt").read_text()
    assert of_first["perplexity"] == pytest.approx(scores["perplexity"], rel=1e-6)
    both, _, of_both = evaluated(runs["one"], f"together=[{runs['two'].path}]")
    logs, _, of_logs = evaluated(runs["one"], f"together=[{runs['two'].path}]", "together_mean=log_probabilities")
    assert len({alone, twice, first, both, logs}) == 5
    assert of_both["perplexity"] != pytest.approx(scores["perplexity"]) and "perplexity" not in of_logs


def test_fusion_takes_a_language_model_of_the_same_targets(runs: Runs) -> None:
    folder, facts, scores = evaluated(
        runs["one"], f"language_model={runs['language'].path}", "language_model_weight=0.3"
    )
    assert "language_model:0.3," in facts["signature"] and "perplexity" not in scores
    sources, best = (folder / "sources.txt").read_text().splitlines(), [each[0] for each in nbest(folder)]
    whole = [(source, each) for source, each in zip(sources, best, strict=True) if each["finished"]][:20]
    lines = [source for source, _ in whole], [each["text"] for _, each in whole]
    plain_ones, of_language = judged(runs["one"], *lines), judged(runs["language"], *lines)
    assert [each["log_prob"] for _, each in whole] == pytest.approx(
        [one + 0.3 * two for one, two in zip(plain_ones, of_language, strict=True)], abs=1e-9
    )


def test_waiting_is_recorded_with_its_lag(runs: Runs) -> None:
    alone, _, _ = evaluated(runs["one"])
    patient, facts, scores = evaluated(runs["one"], "wait_k=30")
    assert (patient / "hypotheses.txt").read_text() == (alone / "hypotheses.txt").read_text()
    sources = (patient / "sources.txt").read_text().splitlines()
    assert scores["average_lagging"] == pytest.approx(sum(len(line.split()) + 1 for line in sources) / len(sources))
    _, facts, hasty = evaluated(runs["one"], "wait_k=1")
    assert hasty["average_lagging"] < scores["average_lagging"] and "wait_k:1" in facts["signature"]


def test_reranking_is_the_plain_sum_over_an_n_best_list(runs: Runs) -> None:
    words = ["decoding.num_hypotheses=4", "decoding.size=4"]
    before, _, _ = evaluated(runs["one"], *words)
    judges = [(runs["backwards"], "same", 0.5), (runs["two"], "source_given_target", 0.25)]
    after, facts, _ = evaluated(runs["one"], *words, rerank_word(*judges))
    assert "rerank:same,0.5," in facts["signature"] and after != before
    sources = (before / "sources.txt").read_text().splitlines()
    moved = 0
    for source, first, second in list(zip(sources, nbest(before), nbest(after), strict=True))[:25]:
        outputs, lines = [each["text"] for each in first], [source] * len(first)
        forth, back = judged(runs["backwards"], lines, outputs), judged(runs["two"], outputs, lines)
        totals = [each["score"] + 0.5 * one + 0.25 * two for each, one, two in zip(first, forth, back, strict=True)]
        order = sorted(range(len(first)), key=lambda row: -totals[row])
        assert [each["text"] for each in second] == [outputs[row] for row in order]
        assert [each["score"] for each in second] == pytest.approx([totals[row] for row in order], abs=1e-9)
        assert [each["log_prob"] for each in second] == [first[row]["log_prob"] for row in order]
        moved += order[0] != 0
    assert moved


def test_a_reversed_model_writes_ordinary_text_and_judges_it_from_its_end(runs: Runs) -> None:
    model = load_model(runs["backwards"].path, device=CPU)
    line = (runs["backwards"].path, "e d a b")[1]
    ids = model.target.ids(line)
    assert model.target.tokens(ids) == line.split()[::-1] and model.target.line(ids) == line


def test_translation_uses_all_of_them_too(runs: Runs) -> None:
    lines = ["a b c", "", "c b a d e f"]
    words = ["decoding.num_hypotheses=3", "nbest=3", f"together=[{runs['two'].path}]", "wait_k=2",
             f"language_model={runs['language'].path}", rerank_word((runs["backwards"], "same", 0.5))]  # fmt: skip
    wanted = settings("translate", f"run={runs['one'].path}", *words)
    translated = [texts for texts, _ in translate_lines(lines, wanted)]
    model = load_model(runs["one"].path, device=CPU)
    together = together_of(wanted, runs["one"].path, model, load=lambda path: load_model(path, device=CPU), device=CPU)
    batches = length_sorted_batches([model.source.ids(line) for line in lines], sentences=8)
    strategy = build_strategy(wanted["decoding"])
    decoded = together.reranked(decode(together.network, strategy, batches, device=CPU), lines)
    expected = [
        [f"{each.score:.4f}\t{model.target.line(each.ids)}" for each in decoded.hypotheses[row]] for row in (0, 2)
    ]
    assert [translated[0], translated[2]] == expected and translated[1] == [""] * 3


def test_the_seconds_of_judging_count(runs: Runs) -> None:
    model = load_model(runs["one"].path, device=CPU)
    network: Network = model.network
    batches = length_sorted_batches([model.source.ids("a b c")], sentences=1)
    decoded = decode(network, build_strategy(settings("evaluate", "runs=[x]")["decoding"]), batches, device=CPU)
    judge = Reranker(load_model(runs["two"].path, device=CPU), "same", 1.0)
    again = rerank(decoded, ["a b c"], model.target, [judge], device=CPU, sentences=8)
    assert again.seconds > decoded.seconds and again.tokens == decoded.tokens


def test_what_a_search_proved_of_its_own_score_is_not_claimed_of_another(runs: Runs) -> None:
    model = load_model(runs["one"].path, device=CPU)
    network: Network = model.network
    batches = length_sorted_batches([model.source.ids("a b c")], sentences=1)
    exact = build_strategy({"_target_": "s2s_lab.decoding.exact.ExactSearch", "max_length": 2, "budget": 10_000})
    proved = decode(network, exact, batches, device=CPU)
    judged = rerank(
        proved, ["a b c"], model.target, [Reranker(load_model(runs["two"].path, device=CPU), "same", 1.0)],
        device=CPU, sentences=8,
    )  # fmt: skip
    assert proved.best[0].optimal and judged.best[0].optimal is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["together=[{other}]"], "together: {other}: its source vocabulary is not that of {one}"),
        (["together=[{backwards}]"], "together: {backwards}: its targets are tokenized otherwise than those of {one}"),
        (["together_weights=[1,2]"], "together_weights is set, but together names no run"),
        (["together=[{two}]", "together_weights=[1]"], "together_weights is [1] for 2 members"),
        (["together=[3]"], "together=[3]: run folders are expected"),
        (["rerank=[{{run: 1, kind: same, weight: 1}}]"], "rerank.run is 1, expected a run folder"),
        (["language_model={two}"], "language_model={two}: that model reads a source, expected a run of model=lm"),
        (["language_model={language}", "language_model_weight=0"], "language_model_weight is 0"),
        (
            ["rerank=[{{run: {two}, kind: good, weight: 1}}]"],
            "rerank.kind is 'good', expected one of same, source_given",
        ),
        (["rerank=[{{run: {two}, kind: same}}]"], "expected {{run: DIR, kind: KIND, weight: NUMBER}}"),
        (["rerank=[{{run: {two}, kind: same, weight: x}}]"], "rerank.weight is 'x', expected a number"),
        (["together=[{two}]", "shortlist=true"], "shortlist=true serves one network"),
        (["together=[nowhere]"], "nowhere: no model in it"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(words: list[str], expected: str, runs: Runs) -> None:
    places = {name: made.path for name, made in runs.items()}
    with pytest.raises(RequestError) as caught:
        evaluated(runs["one"], *(word.format(**places) for word in words))
    assert expected.format(**places) in str(caught.value) and "\n" not in str(caught.value)


def test_a_value_out_of_its_range_is_refused_before_anything_is_read() -> None:
    with pytest.raises(RequestError, match="wait_k=0: at least 1 is expected"):
        settings("evaluate", "runs=[x]", "wait_k=0")
    with pytest.raises(RequestError, match="together_mean"):
        settings("translate", "run=x", "together_mean=median")


def test_a_language_model_of_other_text_takes_over_the_runs_vocabulary(runs: Runs, tmp_path: Path) -> None:
    for split, line in (("train", "a b c d\nunheard b a\n" * 20), ("validation", "b a\nc d e\n" * 5)):
        (tmp_path / f"{split}.txt").write_text(line)
    words = ["data=monolingual", "model=lm", "tokenizer=whitespace",
             *(f"data.{split}.text={tmp_path}/{split}.txt" for split in ("train", "validation"))]  # fmt: skip
    made = run(tmp_path, *words, f"data.vocabulary_from={runs['one'].path}")
    assert made.read()["status"] == "finished"
    _, facts, _ = evaluated(runs["one"], f"language_model={made.path}")
    assert facts["together"]["language_model"] == {"run": str(made.path), "weight": 0.2}
    own, _, scores = evaluated(made, "split=validation", "decoding=greedy")
    assert scores["perplexity"] > 1 and (own / "sources.txt").read_text().strip() == ""
    with pytest.raises(RequestError, match="its target vocabulary is not that of"):
        evaluated(runs["one"], f"language_model={run(tmp_path, *words, 'data.vocabulary.min_freq=1').path}")
    with pytest.raises(RequestError, match=r"data\.vocabulary_from=.* its text is tokenized by WhitespaceTokenizer"):
        run(tmp_path, *words, f"data.vocabulary_from={runs['one'].path}", "tokenizer=character")

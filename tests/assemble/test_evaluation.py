"""Passes and shortlists of an evaluation, and a translation with the lexicon that it leaves."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from s2s_lab.assemble import evaluation, shortlist
from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.grid import evaluate_runs
from s2s_lab.assemble.translation import translate_lines
from s2s_lab.data.lexicon import LexiconSettings, learn_lexicon
from s2s_lab.faults import RequestError
from s2s_lab.inference import shortlist as narrowing
from s2s_lab.inference.decode import Decoded
from s2s_lab.inference.lexicon_file import LEXICON
from s2s_lab.records.durable import read_json
from s2s_lab.records.evaluation import read_evaluation
from s2s_lab.records.run_folder import RunFolder
from tests.assemble.test_experiment import run

LINES = ["a b c", "", "unheard of", "c b a d e f"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run(tmp_path_factory.mktemp("runs"), "tokenizer=word", "data.vocabulary.shared=false")


@pytest.fixture
def finished(trained: RunFolder) -> RunFolder:
    (trained.model / LEXICON).unlink(missing_ok=True)
    return trained


def settings(name: str, *words: str) -> dict[str, Any]:
    words = ("decoding=greedy", "decoding.max_length=9", "accelerator=cpu", "num_threads=1", *words)
    return plain(compose_jobs(name, list(words), multirun=False, folder=None)[0])


def evaluated(made: RunFolder, *words: str) -> tuple[Path, dict[str, Any]]:
    ((_, folder, facts),) = evaluate_runs(settings("evaluate", f"runs=[{made.path}]", *words))
    assert read_json(folder / "scores.json")["passes"] == facts["passes"]
    return folder, facts


def test_how_many_batches_were_decoded_at_once_is_part_of_what_was_measured(finished: RunFolder) -> None:
    words = ("batch_sentences=3", "num_threads=3")
    folder, one = evaluated(finished, *words, "batches_at_once=1")
    assert "batches_at_once" not in one["conditions"]
    outputs = (folder / "hypotheses.txt").read_text()
    same, three = evaluated(finished, *words)
    assert same == folder and three["conditions"]["batches_at_once"] == 3
    assert (folder / "hypotheses.txt").read_text() == outputs
    assert evaluated(finished, *words, "batches_at_once=8")[1]["passes"] == three["passes"]
    with pytest.raises(RequestError, match=r"batches_at_once=0: at least 1 is expected"):
        evaluated(finished, "batches_at_once=0")


def test_the_speed_is_the_median_passs_and_the_outputs_are_the_firsts(
    finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, facts = evaluated(finished)
    assert facts["passes"] == [facts["seconds"]] and facts["shortlist"] is None
    outputs = (folder / "hypotheses.txt").read_text()
    spent, real = iter([8.0, 2.0, 5.0, 4.0]), evaluation.decode

    def timed(*given: Any, **named: Any) -> Decoded:
        found = real(*given, **named)
        found.seconds = next(spent)
        if found.seconds != 8.0:  # what later passes give is not looked at
            found.hypotheses.clear()
        return found

    monkeypatch.setattr(evaluation, "decode", timed)
    same, facts = evaluated(finished, "repeats=4")
    assert same == folder and (folder / "hypotheses.txt").read_text() == outputs
    assert facts["passes"] == [8.0, 2.0, 5.0, 4.0] and facts["seconds"] == 4.0
    sentences = len(outputs.splitlines())
    assert facts["sentences_per_second"] == pytest.approx(sentences / 4.0, abs=0.01)
    tokens = facts["tokens_per_second"] * facts["seconds"]
    assert tokens == pytest.approx(round(tokens), abs=0.02) and sentences <= tokens <= 9 * sentences


def test_at_least_one_pass_is_asked_for() -> None:
    with pytest.raises(RequestError, match="repeats=0: at least 1 is expected"):
        settings("evaluate", "repeats=0")


def test_an_evaluation_makes_the_lexicon_once_and_a_translation_uses_it(
    finished: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = settings("translate", f"run={finished.path}", "shortlist=true")
    with pytest.raises(RequestError, match=rf"{LEXICON}: no such file; s2s-evaluate runs=\[RUN\] shortlist=true makes"):
        list(translate_lines(LINES, wanted))
    full, facts = evaluated(finished)
    folder, facts = evaluated(finished, "shortlist=true", "batch_sentences=7")
    assert f"shortlist=true: {finished.model / LEXICON}" in capsys.readouterr().err
    assert facts["shortlist"]["batch_sentences"] == 7
    assert facts["shortlist"]["translations"] == LexiconSettings().translations
    assert folder != full
    assert evaluated(finished, "shortlist=true", "batch_sentences=7")[0] == folder
    assert evaluated(finished, "shortlist=true")[0] not in (folder, full)
    assert capsys.readouterr().err == ""
    narrowed: list[int] = []
    real = narrowing.NarrowedNetwork.__init__

    def counted(self: Any, network: Any, ids: Any) -> None:
        narrowed.append(len(ids))
        real(self, network, ids)

    monkeypatch.setattr(narrowing.NarrowedNetwork, "__init__", counted)
    monkeypatch.setattr(
        "s2s_lab.assemble.translation.Shortlist", lambda lexicon: narrowing.Shortlist(lexicon, share=2.0, alignment=1)
    )
    for place in (finished.path, finished.model):
        translated = list(translate_lines(LINES, {**wanted, "run": str(place)}))
        assert [len(texts) for texts, _ in translated] == [1] * len(LINES) and translated[1][0] == [""]
    assert narrowed


def test_a_lexicon_is_learnt_from_the_runs_own_pairs_and_refused_for_others(
    finished: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def told(split: Any, **sizes: int) -> Any:
        seen.append(len(split))
        return learn_lexicon(split, **sizes)

    monkeypatch.setattr(shortlist, "learn_lexicon", told)
    evaluated(finished, "shortlist=true")
    assert seen == [finished.read()["data"]["pairs"]["train"]]
    tables = load_file(finished.model / LEXICON)
    assert len(tables["translations"]) == finished.read()["data"]["vocabulary"][0]
    (finished.model / LEXICON).unlink()
    other = finished.configuration()
    other["data"]["vocabulary"]["max_size"] = 3
    monkeypatch.setattr(RunFolder, "configuration", lambda self: other)
    with pytest.raises(RequestError, match="gives another source vocabulary than its model's") as caught:
        evaluated(finished, "shortlist=true")
    assert "\n" not in str(caught.value) and not (finished.model / LEXICON).exists()


def test_outputs_of_an_oracle_length_are_as_long_as_their_references_and_recorded_apart(finished: RunFolder) -> None:
    freely, of_freely = evaluated(finished)
    told, of_told = evaluated(finished, "oracle_length=true")
    assert freely.parent == told.parent and freely != told
    assert of_told["signature"] == of_freely["signature"].replace("min:0|max:9,3x+30", "length:reference")
    segments = [json.loads(line) for line in (told / "segments.jsonl").read_text().splitlines()]
    assert [each["hypothesis_length"] for each in segments] == [each["reference_length"] for each in segments]
    assert len({each["reference_length"] for each in segments}) > 3
    beam, _ = evaluated(finished, "oracle_length=true", "decoding=beam")
    lengths = [json.loads(line)["hypothesis_length"] for line in (beam / "segments.jsonl").read_text().splitlines()]
    assert lengths == [each["reference_length"] for each in segments]


def test_search_errors_are_outputs_less_probable_than_their_references(finished: RunFolder) -> None:
    folder, facts = evaluated(finished)
    segments = [json.loads(line) for line in (folder / "segments.jsonl").read_text().splitlines()]
    errors = [each["log_prob"] < each["statistics"]["perplexity"][0] - 0.01 for each in segments]
    assert [each["statistics"]["search_errors"][0] for each in segments] == errors
    (value,) = (score["value"] for score in facts["scores"] if score["name"] == "search_errors")
    assert value == pytest.approx(sum(errors) / len(errors))
    _, narrowed = evaluated(finished, "shortlist=true")
    assert "search_errors" not in [score["name"] for score in narrowed["scores"]]


def test_scores_of_other_metrics_are_kept_as_long_as_the_outputs_are_the_same(trained: RunFolder) -> None:
    folder, own = evaluated(trained, "decoding.min_length=1")
    again, facts = evaluated(trained, "decoding.min_length=1", "metrics=translation")
    names = {score["name"] for score in facts["scores"]}
    assert again == folder and {"bleu", "chrf", "ter", "exact_match", "token_accuracy"} <= names
    before = {score["name"]: score for score in own["scores"]}
    assert all(score == before[score["name"]] for score in facts["scores"] if score["name"] in before)
    segments = read_evaluation(folder).segments()
    assert all({"bleu", "exact_match"} <= set(segment["statistics"]) for segment in segments)
    (folder / "hypotheses.txt").write_text("another\n" * len(segments))
    _, alone = evaluated(trained, "decoding.min_length=1", "metrics=translation", "again=true")
    assert "exact_match" not in {score["name"] for score in alone["scores"]}


@pytest.mark.parametrize("wanted", [1, 3])
def test_as_many_outputs_are_kept_as_are_asked_for(finished: RunFolder, wanted: int) -> None:
    words = [f"run={finished.path}", "decoding=beam", f"nbest={wanted}"]
    outputs = [texts for texts, _ in translate_lines(LINES[:1], settings("translate", *words))]
    assert [len(texts) for texts in outputs] == [wanted]
    with pytest.raises(RequestError, match=r"nbest=9: decoding\.num_hypotheses is 9"):
        next(iter(translate_lines(LINES[:1], settings("translate", *words[:2], "nbest=9"))))


def test_a_run_without_its_model_is_named(trained: RunFolder, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(trained.path, tmp_path / "bare"))
    shutil.rmtree(bare / "model")
    with pytest.raises(RequestError, match=f"^{bare}: no model in it"):
        evaluated(RunFolder(bare))


def test_a_damaged_record_leaves_the_other_runs_to_be_evaluated(
    trained: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = Path(shutil.copytree(trained.path, tmp_path / "damaged"))
    (damaged / "run.json").write_text("{")
    ((run, _, _),) = evaluate_runs(settings("evaluate", f"runs=[{trained.path},{damaged}]"))
    assert run.path == trained.path
    assert f"left out: {damaged / 'run.json'}" in capsys.readouterr().err
    with pytest.raises(RequestError, match=r"run\.json"):
        evaluated(RunFolder(damaged))

"""A grid of evaluations: nothing is loaded or encoded twice, one failure costs one evaluation, and so does a stop."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from s2s_lab.assemble import evaluation, grid, together, workbench
from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.grid import Done, Failed, evaluate_grid
from s2s_lab.assemble.grid_file import expanded
from s2s_lab.assemble.inference import build_strategy, load_model
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.evaluate import evaluate
from s2s_lab.faults import RequestError, RunError
from s2s_lab.inference import encodings
from s2s_lab.inference.decode import decode
from s2s_lab.inference.encodings import Encodings
from s2s_lab.inference.frozen import length_sorted_batches
from s2s_lab.records.durable import read_json
from s2s_lab.records.evaluation import read_evaluation
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.runs import collect
from tests.assemble.test_experiment import run as train

SMALL = ["accelerator=cpu", "num_threads=1", "batch_sentences=5", "decoding.max_length=9", "attention_sentences=2"]
GRID = {
    "greedy": {"decoding": "greedy"},
    "beam of 3": {"decoding": "beam", "decoding.size": 3, "decoding.num_hypotheses": 3},
    "unrepeated": {"decoding": "beam", "constraint": ["no_repeat"]},
}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("runs"), "model=gru_attention", "data.corpus.test_size=17").path


@pytest.fixture
def made(trained: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(trained, tmp_path / "run")))


def composed(*words: str, multirun: bool = False) -> list[Any]:
    return compose_jobs("evaluate", [*SMALL, *words], multirun=multirun, folder=None)


@pytest.fixture
def jobs(made: RunFolder, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """The settings of a grid file's evaluations of the run."""

    def settings(*words: str, grid: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        file = tmp_path / "grid.yaml"
        file.write_text(json.dumps(grid or GRID))
        return expanded(composed(f"runs=[{made.path}]", f"grid={file}", *words))

    return settings


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often what is slow is done."""
    counted: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        real = getattr(module, name)

        def counting(*given: Any, **named: Any) -> Any:
            counted[name] += 1
            return real(*given, **named)

        monkeypatch.setattr(module, name, counting)

    for module, name in (
        (workbench, "load_model"), (together, "score_targets"), (workbench, "texts_of"), (evaluation, "decode"),
        (encodings, "encode"),
    ):  # fmt: skip
        count(module, name)
    return counted


def done(jobs: list[dict[str, Any]]) -> list[Done]:
    found = list(evaluate_grid(jobs))
    assert all(isinstance(each, Done) for each in found), found
    return [each for each in found if isinstance(each, Done)]


def outputs(each: Done) -> list[str]:
    return [(each.folder / name).read_text() for name in ("nbest.jsonl", "segments.jsonl", "hypotheses.txt")]


def test_a_grid_loads_scores_and_encodes_once_and_gives_what_single_evaluations_give(
    jobs: Callable[..., list[dict[str, Any]]], calls: Counter[str]
) -> None:
    found = done(jobs())
    sentences = found[0].facts["sentences"]
    assert calls == {
        "load_model": 1, "score_targets": 1, "texts_of": 1, "decode": len(GRID), "encode": -(-sentences // 5)
    }  # fmt: skip
    assert [each.label for each in found] == list(GRID) and all(each.anew for each in found)
    assert len({each.facts["encoding_seconds"] for each in found}) == 1  # the others are told what the first one spent
    for each in found:
        facts = each.facts
        assert facts["seconds"] == pytest.approx(facts["encoding_seconds"] + facts["decoding_seconds"], abs=2e-4)
        assert facts["sentences_per_second"] == pytest.approx(sentences / facts["seconds"], rel=0.05)
        assert facts["encoding_seconds"] > 0
    together = [outputs(each) for each in found]
    for job, texts in zip(jobs("again=true"), together, strict=True):
        (alone,) = done([job])
        assert alone.anew and outputs(alone) == texts


def test_what_is_recorded_is_not_done_again(
    jobs: Callable[..., list[dict[str, Any]]], calls: Counter[str], made: RunFolder
) -> None:
    first = done(jobs())
    calls.clear()
    again = done(jobs())
    assert [each.anew for each in again] == [False] * 3 and calls == {"texts_of": 1}
    assert [(each.folder, each.facts["scores"]) for each in again] == [
        (each.folder, read_json(each.folder / "scores.json")["scores"]) for each in first
    ]


@pytest.mark.parametrize(
    "words", ["again=true", "batch_sentences=4", "metrics=translation", "repeats=2", "attention_sentences=1"]
)
def test_what_was_measured_otherwise_is_measured_anew(words: str, jobs: Callable[..., list[dict[str, Any]]]) -> None:
    one = {"greedy": GRID["greedy"]}
    (first,) = done(jobs(grid=one))
    (anew,) = done(jobs(words, grid=one))
    assert anew.anew and anew.folder == first.folder


def test_a_damaged_record_and_one_of_other_weights_are_measured_anew(
    jobs: Callable[..., list[dict[str, Any]]], made: RunFolder
) -> None:
    one = {"greedy": GRID["greedy"]}
    (first,) = done(jobs(grid=one))
    damaged = first.folder / "hypotheses.txt"
    damaged.write_text(damaged.read_text()[:-3])
    assert [each.anew for each in (*done(jobs(grid=one)), *done(jobs(grid=one)))] == [True, False]
    (made.model / "SHA256SUMS").unlink()
    assert [each.anew for each in (*done(jobs(grid=one)), *done(jobs(grid=one)))] == [True, False]


def test_a_stop_in_the_middle_costs_one_evaluation(
    jobs: Callable[..., list[dict[str, Any]]], calls: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        real, decoded = evaluation.decode, []

        def stopped(*given: Any, **named: Any) -> Any:
            decoded.append(real(*given, **named))
            if len(decoded) == 2:
                raise KeyboardInterrupt
            return decoded[-1]

        patch.setattr(evaluation, "decode", stopped)
        with pytest.raises(KeyboardInterrupt):
            list(evaluate_grid(jobs()))
    calls.clear()
    assert [each.anew for each in done(jobs())] == [False, True, True]
    assert calls["decode"] == 2 and calls["load_model"] == 1


def test_jobs_of_a_multirun_are_done_together_and_their_table_agrees_with_compares(
    made: RunFolder, calls: Counter[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = tmp_path / "table.json"
    words = [f"runs=[{made.path}]", "decoding=greedy,beam,sampling", f"table={table}"]
    evaluate(composed(*words, multirun=True))
    assert calls["load_model"] == calls["score_targets"] == 1
    told = capsys.readouterr().out
    assert told.count("sentences/s") == 3 and "test: " in told and f"wrote {table}" in told
    assert all(f"  decoding={name} ({name})  " in told for name in ("greedy", "beam", "sampling"))
    (found,) = json.loads(table.read_text())["tables"]
    compared = compare(collect([made.path])).splits[0]
    assert found["sentences"] == compared.sentences and found["ranked_by"] == "exact_match"
    rows = {row["strategy"]: row for row in found["rows"]}
    assert {entry.strategy for entry in compared.entries} == set(rows) == {"greedy", "beam", "sampling"}
    for entry in compared.entries:
        row = rows[entry.strategy]
        for name in ("exact_match", "token_accuracy", "edit_distance"):
            assert row[name] == entry.measures[name].values[0]
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
        assert row["sentences_per_second"] == entry.sentences_per_second
    assert not {"length_ratio", "empty_outputs"} & {kind.name for kind in compared.scores}


def test_a_failing_strategy_is_one_line_and_the_others_go_on(
    made: RunFolder, jobs: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    def broken(*given: Any, **named: Any) -> Any:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(BeamSearch, "search", broken)
    found = list(evaluate_grid(jobs()))
    assert [type(each) for each in found] == [Done, Failed, Failed]
    words = [f"runs=[{made.path}]", f"grid={tmp_path / 'grid.yaml'}"]
    with pytest.raises(RunError, match=r"2 of 3 evaluations failed; one of them: beam of 3: RuntimeError: two lines"):
        evaluate(composed(*words))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all(": RuntimeError: two lines (test_grid.py" in line for line in said)


def test_the_first_run_that_fails_stops_no_other(
    made: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other, tried, real = RunFolder(Path(shutil.copytree(made.path, tmp_path / "z"))), list[Path](), grid.evaluate

    def once_broken(run: RunFolder, *given: Any) -> Any:
        tried.append(run.path)
        if len(tried) == 1:
            raise RunError("no output")
        return real(run, *given)

    monkeypatch.setattr(grid, "evaluate", once_broken)
    with pytest.raises(RunError, match=r"1 of 2 evaluations failed; one of them: greedy: no output"):
        evaluate(composed(f"runs=[{made.path},{other.path}]", "decoding=greedy"))
    assert len(set(tried)) == 2 and "greedy: no output" in capsys.readouterr().err
    tried.clear()
    with pytest.raises(RunError, match=r"^no output$"):  # of one run the fault is the command's
        evaluate(composed(f"runs=[{made.path}]", "decoding=greedy", "again=true"))


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ("[a, b]", "label -> {decoding: beam"),
        ("{}", "label -> {decoding: beam"),
        ("a: beam", "a is 'beam'; words like"),
        ("a: {runs: [x]}", "a: runs belongs to the command line"),
        ("a: {decoding: {size: 3}}", "a: decoding is .*as in decoding.KEY: VALUE"),
        ("a: {decoding: bean}", "a: decoding=bean: there is no such option; did you mean beam"),
        ("a: {decoding: greedy}\nb: {decoding: beam, decoding.sise: 3}", "b: unknown key decoding.sise"),
        ("a: {decoding: greedy, decoding.size: 3}", "a: unknown key decoding.size: decoding=greedy has no such key$"),
        ("a: {decoding: greedy}\nb: {decoding: beam, decoding.size: 0}", "b: decoding.size is 0"),
        ("a: {decoding: greedy}\nb: {decoding: greedy}", "a and b ask for the same evaluation"),
        ("a: {decoding: greedy", "not valid YAML"),
    ],
)
def test_a_wrong_grid_is_refused_before_anything_starts(
    grid: str, expected: str, made: RunFolder, tmp_path: Path, calls: Counter[str]
) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text(grid)
    words = [word for word in SMALL if "max_length" not in word]
    asked = compose_jobs("evaluate", [*words, f"runs=[{made.path}]", f"grid={file}"], multirun=False, folder=None)
    with pytest.raises(RequestError, match=expected) as caught:
        evaluate(asked)
    assert "\n" not in str(caught.value) and not calls


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("table=t.txt", "ends in .md, .csv, .json"),
        ("table=nowhere/t.md", "there is no folder"),
        ("grid=no.yaml", "no.yaml"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_starts(
    word: str, expected: str, made: RunFolder, calls: Counter[str]
) -> None:
    with pytest.raises(RequestError, match=expected):
        evaluate(composed(f"runs=[{made.path}]", word))
    assert not calls


def batch_of(made: RunFolder) -> tuple[Any, Any]:
    model = load_model(made.path, device=CPU, precision="float64")
    sources = [model.source.ids(line) for line in ("a b c d", "e f", "c c c c c c")]
    return model, list(length_sorted_batches(sources, sentences=2))


def test_encodings_are_kept_up_to_the_bound_and_change_no_output(made: RunFolder, calls: Counter[str]) -> None:
    model, batches = batch_of(made)
    strategy = build_strategy(plain(composed("decoding=beam")[0])["decoding"])
    expected = decode(model.network, strategy, batches, device=CPU)
    for most, encoded in ((0, 4), (1 << 20, 2)):
        calls.clear()
        keeping = Encodings(most)
        for _ in range(2):
            found = decode(model.network, strategy, batches, device=CPU, encodings=keeping)
            assert found.hypotheses == expected.hypotheses
        assert calls["encode"] == encoded and (keeping.kept_bytes > 0) == (most > 0)
    size = keeping.kept_bytes
    partly = Encodings(size - 1)
    for _ in range(2):
        decode(model.network, strategy, batches, device=CPU, encodings=partly)
    assert 0 < partly.kept_bytes < size
    other, _ = batch_of(made)
    assert partly.start(other.network, batches[0]).state is not partly.start(model.network, batches[0]).state


def test_the_trees_of_a_strategy_that_tells_them_are_recorded_with_tokens_as_text(
    made: RunFolder,
) -> None:
    words = [f"runs=[{made.path}]", "decoding=beam", "decoding.max_length=9"]
    (untold,) = done([plain(composed(*words, "trace_sentences=0")[0])])
    assert not (untold.folder / "beams.json").exists()
    (told,) = done([plain(composed(*words, "trace_sentences=2")[0])])
    assert told.folder == untold.folder
    found = read_json(told.folder / "beams.json")
    assert found["schema"] == 1 and [each["index"] for each in found["sentences"]] == [0, 1]
    lines = (told.folder / "sources.txt").read_text().splitlines()
    assert [" ".join(each["source"]) for each in found["sentences"]] == lines[:2]
    best = read_evaluation(told.folder).hypotheses()
    for each, line in zip(found["sentences"], best, strict=False):
        nodes, place, tokens = {node["id"]: node for node in each["nodes"]}, each["best"][0], list[str]()
        while nodes[place]["parent"] is not None:
            tokens.insert(0, nodes[place]["token"])
            place = nodes[place]["parent"]
        assert nodes[place]["token"] == "<s>" and " ".join(tokens).removesuffix("</s>").strip() == line

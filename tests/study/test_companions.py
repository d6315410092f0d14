"""Evaluations together with the runs of other rows: done once both are trained, and the same without any run folder."""

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from s2s_lab.assemble.configuration import compose_each, plain
from s2s_lab.assemble.grid import Done, evaluate_grid
from s2s_lab.assemble.study import StudyComposer
from s2s_lab.assemble.study_companions import Companions
from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder, find_runs
from s2s_lab.records.study_file import read_study
from s2s_lab.study import main
from tests.study.conftest import compose, write_run, write_study
from tests.study.fake_engine import FakeEngine
from tests.study.test_report import files, study
from tests.study.test_run import told

BASE = """
title: Together
seeds: [1, 2]
base: {data: reverse, data.size: 60, debug: tiny, trainer.max_steps: 4, trainer.validate_every: 2,
       trainer.validation_sentences: 6, trainer.log_every: 1, trainer.num_threads: 1, logger: csv, callbacks: quiet}
"""
TOGETHER = f"""{BASE}
evaluations:
  greedy: {{decoding: greedy, attention_sentences: 0}}
  both: {{decoding: greedy, attention_sentences: 0, together: [other], together_weights: [1, 2]}}
rows:
  first: {{set: {{model: gru}}, evaluations: [greedy, both]}}
  other: {{set: {{model: lstm}}}}
claims:
  helps: {{kind: order, better: {{row: first, evaluation: both}}, worse: {{row: first}}, score: token_accuracy}}
"""


class Ended(NamedTuple):
    """One `s2s-study run` and what it left behind."""

    code: int
    started: list[str]
    err: str
    evaluations: dict[tuple[str, int], set[str]]


class Story(NamedTuple):
    """A study that was run in three parts, and where it lies; nobody writes into it."""

    place: Path
    part: Ended
    failing: Ended
    rest: Ended


def ended(place: Path, *words: str, failing: tuple[str, ...] = ()) -> Ended:
    engine, err = FakeEngine(failing=failing), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(err):
        patch.setattr("s2s_lab.sweeps.engine.Engine", lambda settings, **_: engine)
        patch.setattr("sys.argv", ["s2s-study", "run", "experiments/toy", *words])
        patch.chdir(place)
        with pytest.raises(SystemExit) as end:
            main()
    assert isinstance(end.value.code, int)
    return Ended(end.value.code, engine.started, err.getvalue(), evaluations(place))


def jobs(place: Path) -> dict[tuple[str, int], dict[str, Any]]:
    results = json.loads((place / "experiments/toy/results.json").read_text())
    return {(entry["row"], entry["seed"]): entry for entry in results["jobs"]}


def evaluations(place: Path) -> dict[tuple[str, int], set[str]]:
    return {key: set(entry["evaluations"]) for key, entry in jobs(place).items()}


def verdict(place: Path) -> str:
    return json.loads((place / "experiments/toy/results.json").read_text())["claims"][0]["verdict"]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    place = tmp_path_factory.mktemp("together")
    write_study(place, TOGETHER)
    part = ended(place, "--row", "first", "--seed", "1")
    failing = ended(place, failing=("other seed 2",))
    return Story(place, part, failing, ended(place))


@pytest.fixture
def copy(story: Story, tmp_path: Path) -> Path:
    """The study as a clone has it: without run folders."""
    shutil.copytree(story.place / "experiments", tmp_path / "experiments")
    return tmp_path


def test_without_the_row_it_names_an_evaluation_is_left_open_in_one_line(story: Story) -> None:
    assert (story.part.code, story.part.started) == (0, ["first seed 1"])
    assert story.part.evaluations == {("first", 1): {"greedy"}}
    line = "s2s-study: left open: both of first waits for other, which has no finished model here of seed 1\n"
    assert story.part.err == line


def test_it_is_done_once_both_are_trained_and_a_failure_disturbs_nothing_else(story: Story) -> None:
    assert story.failing.code == 1
    done = {("first", 1): {"greedy", "both"}, ("first", 2): {"greedy"}, ("other", 1): {"greedy"}}
    assert story.failing.evaluations == done
    assert story.failing.started[-1] == "first seed 1"  # after all trainings
    assert story.failing.err.splitlines()[0].endswith("both of first waits for other, which has no finished model here "
                                                      "of seed 2")  # fmt: skip
    assert "1 of 4 jobs failed; one of them: other seed 2" in story.failing.err
    assert story.rest.code == 0 and story.rest.err == "" and set(story.rest.started) == {"first seed 2", "other seed 2"}
    assert story.rest.evaluations == done | {("first", 2): {"greedy", "both"}, ("other", 2): {"greedy"}}
    assert len(find_runs([story.place / "outputs"])) == 4


def test_it_is_what_evaluating_the_same_folders_together_gives(story: Story) -> None:
    runs = {
        (facts["name"], facts["seed"]): run for run in find_runs([story.place / "outputs"]) if (facts := run.read())
    }
    entries, values = jobs(story.place), set()
    for seed in (1, 2):
        words = [f"runs=[{runs['first', seed].path}]", f"together=[{runs['other', seed].path}]", "decoding=greedy",
                 "together_weights=[1,2]", "attention_sentences=0", "again=true"]  # fmt: skip
        (done,) = evaluate_grid([plain(compose_each("evaluate", [words])[0])])
        assert isinstance(done, Done) and len(list(done.folder.parent.glob("*/scores.json"))) == 2
        found, alone = entries["first", seed]["evaluations"]["both"], entries["first", seed]["evaluations"]["greedy"]
        assert found["scores"] == done.facts["scores"]
        assert found["signature"] != alone["signature"] and found["scores"] != alone["scores"]
        values.add(done.facts["signature"])
    assert len(values) == 2  # the records of the runs tell the models apart


def test_the_signature_in_the_results_is_the_same_for_all_seeds_and_tells_ensembles_apart(story: Story) -> None:
    entries = jobs(story.place)
    (signature,) = {entries["first", seed]["evaluations"]["both"]["signature"] for seed in (1, 2)}
    row = next(run for run in find_runs([story.place / "outputs"]) if run.read()["name"] == "other").read()["row_hash"]
    assert signature.endswith(f"|together:probabilities,1,2,{row}")


def test_a_clone_without_run_folders_reports_the_same_bytes(
    copy: Path, story: Story, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study(monkeypatch, copy, "report", "experiments/toy")
    assert files(copy / "experiments/toy") == files(story.place / "experiments/toy") and verdict(copy) != "open"
    assert "A row that is named there stands for its run" in (copy / "experiments/toy/README.md").read_text()
    capsys.readouterr()
    study(monkeypatch, copy, "plan", "experiments/toy")
    assert "4 done, 0 to start" in (shown := told(capsys)) and "waits" not in shown


@pytest.mark.parametrize(
    ("before", "after"),
    [("{model: lstm}", "{model: rnn}"), ("together_weights: [1, 2]", "together_weights: [1, 3]"), ("", "")],
    ids=["the row's words", "the weights", "what the row's words stand for"],
)
def test_results_with_another_companion_count_no_more(
    before: str, after: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not before:  # as where a default of the options or the corpus was another one
        results = copy / "experiments/toy/results.json"
        text = results.read_text()
        (signature,) = {jobs(copy)["first", seed]["evaluations"]["both"]["signature"] for seed in (1, 2)}
        results.write_text(text.replace(signature, f"{signature[:-12]}0123456789ab"))
    write_study(copy, TOGETHER.replace(before, after) if before else TOGETHER)
    study(monkeypatch, copy, "report", "experiments/toy")
    for seed in (1, 2):
        found = jobs(copy)["first", seed]["evaluations"]
        assert found["both"]["definition"] == "former" != found["greedy"]["definition"]
    assert verdict(copy) == "open"


def test_a_companion_that_is_only_recorded_is_trained_again_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    composed = {
        each.row.name: each for each in compose(read_study(write_study(tmp_path, TOGETHER)), tmp_path / "outputs")
    }
    for seed in (1, 2):
        write_run(composed["first"], seed, evaluations=["greedy"])
        write_run(composed["other"], seed)
    study(monkeypatch, tmp_path, "report", "experiments/toy")
    for run in find_runs([tmp_path / "outputs"]):
        if run.read()["name"] == "other":
            shutil.rmtree(run.path)
    capsys.readouterr()
    study(monkeypatch, tmp_path, "plan", "experiments/toy")
    shown = told(capsys)
    assert "4 jobs in 2 rows: 0 done, 4 to start" in shown and "claim helps: waits for first, other" in shown
    assert "both of first waits for other, which has no finished model here of seeds 1, 2" in shown
    study(monkeypatch, tmp_path, "run", "experiments/toy", "--dry")
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.rpartition("  ")[0].split(None, 1) for line in lines if "unevaluated" in line] == [
        ["unevaluated", "first seed 1"], ["unevaluated", "first seed 2"]
    ]  # fmt: skip
    assert sum(line.startswith("to do") for line in lines) == 2


def test_runs_of_the_same_seed_stand_for_rows_wherever_they_are_named(tmp_path: Path) -> None:
    text = f"""{BASE}
evaluations:
  greedy: {{decoding: greedy}}
  all: {{decoding: beam, language_model: lm, together: ["pair[cell=lstm]"],
        rerank: [{{run: "pair[cell=gru]", kind: same, weight: 2}}]}}
rows:
  first: {{set: {{model: gru}}, evaluations: [greedy, all]}}
  lm: {{set: {{model: lm}}}}
  pair: {{set: {{model: gru}}, grid: {{cell: [gru, lstm]}}}}
"""
    composed = {each.row.name: each for each in compose(read_study(write_study(tmp_path, text)), tmp_path / "outputs")}
    gru, lstm, lm = (composed[name].row_hash for name in ("pair[cell=gru]", "pair[cell=lstm]", "lm"))
    signature = Companions(composed.values(), {}).signatures()["all"]
    assert signature.endswith(f"|together:probabilities,equal,{lstm}|language_model:0.2,{lm}|rerank:same,2,{gru}")
    places: dict[str, list[RunFolder]] = {}
    for name in ("pair[cell=gru]", "pair[cell=lstm]", "lm"):
        for seed in (1, 2):
            run = write_run(composed[name], seed)
            run.model.mkdir(exist_ok=True)
            places[composed[name].jobs[seed].hash] = [run]
            if (name, seed) != ("lm", 2):
                (run.model / "model.safetensors").touch()
    companions = Companions(composed.values(), places)
    assert companions.wanted("first", 2).waiting == {"all": ("lm",)}
    assert list(companions.wanted("first", 2).asked) == ["greedy"] == list(companions.wanted("lm", 1).asked)
    assert companions.finished("lm", 1) == places[composed["lm"].jobs[1].hash][0].path
    assert companions.finished("lm", 3) is companions.finished("nobody", 1) is None


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("together_weights: [1, 2]", "together_weights: [1]", "evaluation both: together_weights is [1] for 2 members"),
        ("together_weights: [1, 2]", "rerank: [{run: other, kind: good, weight: 1}]", "both: rerank.kind is 'good'"),
    ],
)
def test_what_cannot_be_together_is_refused_before_anything_is_trained(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError) as caught:
        StudyComposer(read_study(write_study(tmp_path, TOGETHER.replace(before, after))))
    assert message in str(caught.value) and "study.yaml" in str(caught.value) and "\n" not in str(caught.value)

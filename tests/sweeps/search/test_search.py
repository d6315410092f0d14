"""The laws of a search: nothing lost, nothing repeated, the budget kept, the same trials after any crash."""

import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from s2s_lab.faults import RequestError, RunError
from s2s_lab.records.durable import read_json
from s2s_lab.sweeps.search.search import search
from s2s_lab.sweeps.search.settings import read_settings
from s2s_lab.sweeps.search.summary import Summary
from tests.sweeps.search.fakes import World, chosen_by

WORDS = ("model=lstm,gru", "lr=tag(log,interval(0.001,0.1))", "dropout=range(0,0.5,0.1)", "layers=int(interval(1,4))")


class CrashError(BaseException):
    """The end of the process, at a place of the test's choice."""


def curve(chosen: dict[str, str]) -> list[float]:
    """Three validations that depend on everything drawn."""
    top = float(chosen.get("lr", 0.05)) * 5 + float(chosen.get("dropout", 0)) + (chosen.get("model") == "gru")
    return [top / 3, top / 2, top]


def run(world: World, words: tuple[str, ...] = WORDS, said: list[str] | None = None, **settings: Any) -> Summary:
    say = (said if said is not None else []).append
    arguments = {"higher_is_better": lambda settings: True, "progress_of": world.progress_of, "say": say}
    if "search_path" in settings:
        arguments["search_path"] = settings.pop("search_path")
    return search(world.prepare, world.open_engine, words, read_settings(settings), **arguments)


def trials_of(world: World, experiment: str = "fake") -> list[FrozenTrial]:
    storage = JournalStorage(JournalFileBackend(str(world.outputs / experiment / "search.journal")))
    name = max(study.study_name for study in storage.get_all_studies())
    return optuna.load_study(study_name=name, storage=storage).get_trials()


def told(world: World) -> list[tuple[Any, ...]]:
    """What counts of each trial, those that waited again in the place of those they stand for."""
    ended = [trial for trial in trials_of(world) if trial.user_attrs["outcome"] not in ("requeued", "void")]
    return [(trial.user_attrs["words"], trial.user_attrs["outcome"], trial.values) for trial in ended]


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsgaii"])
def test_a_seed_fixes_every_trial(tmp_path: Path, sampler: str) -> None:
    worlds = [World(tmp_path / str(number), curve) for number in range(3)]
    for world, seed in zip(worlds, (1, 1, 2), strict=True):
        run(world, trials=8, sampler=sampler, startup_trials=3, seed=seed)
    assert told(worlds[0]) == told(worlds[1]) != told(worlds[2])


def test_samplers_learn(tmp_path: Path) -> None:
    """Of the same number of trials the later ones of TPE are better than its first, which were drawn at random."""
    world = World(tmp_path, curve)
    run(world, trials=30, startup_trials=10)
    values = [trial.values[0] for trial in trials_of(world) if trial.values]
    assert sum(values[15:]) / 15 > sum(values[:10]) / 10


@pytest.mark.parametrize("sampler", ["tpe", "grid"])
@pytest.mark.parametrize("torn", [False, True])
def test_a_crash_at_any_write_loses_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str, torn: bool
) -> None:
    """The process ends at the nth write to the journal, before it or in the middle of it, for every n."""
    words = WORDS if sampler == "tpe" else ("model=lstm,gru", "dropout=range(0,0.3,0.1)")
    settings = {"trials": 4, "startup_trials": 2, "sampler": sampler}
    undisturbed = World(tmp_path / "undisturbed", curve)
    run(undisturbed, words, **settings)
    append = JournalFileBackend.append_logs
    writes, limit = 0, 0

    def crashing(backend: Any, logs: list[dict[str, Any]]) -> None:
        nonlocal writes
        writes += 1
        if writes == limit:
            if torn:
                with open(backend._file_path, "ab") as file:
                    file.write(b'{"op_code":')
            raise CrashError
        append(backend, logs)

    monkeypatch.setattr(JournalFileBackend, "append_logs", crashing)
    ended = False
    while not ended:
        writes, limit = 0, limit + (1 if limit < 20 else 7)
        world = World(tmp_path / str(limit), curve)
        try:
            run(world, words, **settings)
            ended = True
        except CrashError:
            limit_now, limit = limit, 0
            run(world, words, **settings)
            limit = limit_now
        assert sorted(map(str, told(world))) == sorted(map(str, told(undisturbed))), f"crash at write {limit}"
        assert max(Counter(world.completed).values()) == 1
        assert set(world.completed) == set(undisturbed.completed)
    assert limit > 30


def test_repeated_crashes_while_jobs_run_keep_the_budget(tmp_path: Path) -> None:
    """Two jobs at once, and the process ends at every second wait: each job goes on where it was."""
    world, crashes = World(tmp_path, curve, jobs_at_once=2), 0
    for _ in range(50):
        waits = 0

        def progress_of(folder: Any) -> Any:
            nonlocal waits
            waits += 1
            if waits == 4:
                raise CrashError
            return world.progress_of(folder)

        arguments = {"higher_is_better": lambda settings: True, "progress_of": progress_of, "say": lambda line: None}
        settings = read_settings({"trials": 7, "pruning": "median"})
        try:
            search(world.prepare, world.open_engine, WORDS, settings, **arguments)
            break
        except CrashError:
            crashes += 1
    assert crashes >= 3
    assert len(told(world)) == 7
    assert max(Counter(world.completed).values()) == 1


def test_the_same_command_again_runs_nothing_and_more_trials_go_on(tmp_path: Path) -> None:
    world, undisturbed = World(tmp_path / "a", curve), World(tmp_path / "b", curve)
    first = run(world, trials=5)
    started = list(world.started)
    assert run(world, trials=5).best == first.best
    assert world.started == started
    run(world, trials=9)
    run(undisturbed, trials=9)
    assert told(world) == told(undisturbed)
    assert world.announced == [(5, 0), (5, 5), (9, 5)]


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """Locks are of processes, so the second one is another process."""
    import subprocess
    import sys

    from s2s_lab.sweeps.search.storage import held

    code = (
        "import pathlib, sys\nfrom s2s_lab.faults import RequestError\n"
        "from s2s_lab.sweeps.search.storage import held\n"
        f"try:\n  held(pathlib.Path({str(tmp_path)!r})).__enter__()\n"
        "except RequestError as error:\n  sys.exit(str(error))\n"
    )
    with held(tmp_path):
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert second.returncode == 1 and "another process is searching" in second.stderr
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_job_that_was_drawn_before_is_not_trained_again(tmp_path: Path) -> None:
    world = World(tmp_path, curve, jobs_at_once=3)
    run(world, ("model=lstm,gru",), trials=12, sampler="random")
    assert len(world.completed) == 2 and len(told(world)) == 12
    values = {tuple(words): value for words, _, value in told(world)}
    assert all(values[tuple(words)] == value for words, _, value in told(world))


def test_the_grid_is_every_combination_once(tmp_path: Path) -> None:
    world = World(tmp_path, curve)
    spaces = {"model=gru": {"dropout": "range(0,0.3,0.1)"}}
    run(world, ("model=lstm,gru", "layers=1,2"), trials=100, sampler="grid", spaces=spaces)
    expected = [("lstm", layers, None) for layers in "12"]
    expected += [("gru", layers, dropout) for layers in "12" for dropout in ("0.0", "0.1", "0.2")]
    drawn = [chosen_by(words) for words, _, _ in told(world)]
    assert [(item["model"], item["layers"], item.get("dropout")) for item in drawn] == expected
    assert world.announced == [(len(expected), 0)]


def test_what_cannot_be_built_is_told_and_does_not_count(tmp_path: Path) -> None:
    said: list[str] = []
    world = World(tmp_path, curve, refuses=lambda chosen: "no such pair" * (chosen.get("layers") == "2"))
    run(world, ("layers=1,2,3,4,5,6,7",), said, trials=20, sampler="random", seed=3)
    outcomes = Counter(outcome for _, outcome, _ in told(world))
    assert outcomes["finished"] == 20 and outcomes["refused"] > 0
    assert all(("layers=2" in words) == (outcome == "refused") for words, outcome, _ in told(world))
    assert any("cannot be built: no such pair" in line for line in said)


def test_too_many_that_cannot_be_built_end_the_search(tmp_path: Path) -> None:
    world = World(tmp_path, curve, refuses=lambda chosen: "no such depth" * (float(chosen["depth"]) != 4.5))
    with pytest.raises(RequestError, match=r"3 drawn combinations in a row cannot be built.*no such depth"):
        run(world, ("depth=interval(4,5)",), trials=20, refused_in_a_row=3)
    nothing = World(tmp_path / "nothing", curve, refuses=lambda chosen: "no such model")
    with pytest.raises(RequestError, match=r"^no such model$"):
        run(nothing, trials=20)
    assert not (tmp_path / "nothing").exists()


def test_failures_count_and_do_not_end_the_search(tmp_path: Path) -> None:
    said: list[str] = []
    world = World(tmp_path, curve, fails=lambda chosen: "out of memory" * (chosen["model"] == "gru"))
    found = run(world, ("model=lstm,gru", "layers=1,2"), said, trials=4, sampler="grid")
    assert Counter(outcome for _, outcome, _ in told(world)) == {"finished": 2, "failed": 2}
    assert "model=lstm" in found.command and any("failed: out of memory" in line for line in said)
    hopeless = World(tmp_path / "hopeless", curve, fails=lambda chosen: "out of memory")
    with pytest.raises(RunError, match="no trial of the search has a value"):
        run(hopeless, trials=2)


def test_a_failure_ends_the_search_where_that_is_asked_for(tmp_path: Path) -> None:
    fails = lambda chosen: "out of memory" * (chosen["layers"] == "2")  # noqa: E731
    world = World(tmp_path, curve, fails=fails, stops_at_failures=True)
    with pytest.raises(RunError, match="a failure ended the search"):
        run(world, ("layers=1,2,3",), trials=3, sampler="grid")
    world.stops_at_failures = False
    run(world, ("layers=1,2,3",), trials=3, sampler="grid")
    assert [outcome for _, outcome, _ in told(world)] == ["finished", "failed", "finished"]


def test_a_changed_search_is_refused_unless_accepted(tmp_path: Path) -> None:
    world = World(tmp_path, curve)
    run(world, ("model=lstm,gru", "layers=1,2", "steps=5"), trials=4, sampler="grid")
    for changed, difference in {
        ("model=lstm,gru", "layers=1,2,3", "steps=5"): "space: layers was choice.1,2., is now choice.1,2,3.",
        ("model=lstm,gru", "layers=1,2", "steps=6"): "words was steps=5, is now steps=6",
    }.items():
        with pytest.raises(RequestError, match=difference):
            run(world, changed, trials=4, sampler="grid")
    with pytest.raises(RequestError, match="sampler was grid"):
        run(world, ("model=lstm,gru", "layers=1,2", "steps=5"), trials=4, sampler="random")
    before = list(world.started)
    changed = ("model=lstm,gru", "layers=1,2,3", "steps=5")
    run(world, changed, trials=6, sampler="random", accept_changed=True)
    assert {tuple(words) for words, _, _ in told(world)[:4]} == {
        (f"model={model}", f"layers={layers}") for model in ("lstm", "gru") for layers in "12"
    }
    assert len(told(world)) == 6
    assert set(world.started[len(before) :]).isdisjoint(before)


def test_a_grid_that_grew_runs_what_is_new_alone(tmp_path: Path) -> None:
    world = World(tmp_path, curve)
    run(world, ("model=lstm,gru", "layers=1,2"), trials=20, sampler="grid")
    run(world, ("layers=2,3,1", "model=rnn,gru"), trials=20, sampler="grid", accept_changed=True)
    expected = {(model, layers) for model in ("rnn", "gru") for layers in "123"}
    assert {(item["model"], item["layers"]) for item in (chosen_by(words) for words, _, _ in told(world))} == expected
    assert len(told(world)) == len(expected)
    assert len(world.started) == len(set(world.started)) == 4 + 4


def test_jobs_that_are_refused_when_they_run_end_the_search(tmp_path: Path) -> None:
    """As those of a machine without the device that they ask for; one that was not refused begins the count anew."""
    refused = lambda chosen: "no such device" * (chosen["layers"] in ("2", "3", "5", "6", "7"))  # noqa: E731
    said: list[str] = []
    world = World(tmp_path, curve, turns_away=refused)
    with pytest.raises(RequestError, match=r"^3 jobs in a row were refused; the last one, layers=7: no such device$"):
        run(world, ("layers=1,2,3,4,5,6,7,8,9",), said, trials=9, sampler="grid", refused_in_a_row=3)
    outcomes = [outcome for _, outcome, _ in told(world)]
    assert outcomes == ["finished", "refused", "refused", "finished", "refused", "refused", "refused"]
    world.turns_away = lambda chosen: ""
    run(world, ("layers=1,2,3,4,5,6,7,8,9",), trials=9, sampler="grid", refused_in_a_row=3)
    assert len(world.completed) == 9


def test_harmless_words_may_change(tmp_path: Path) -> None:
    world = World(tmp_path, curve)
    run(world, ("model=lstm,gru", "logger=csv"), trials=2)
    run(world, ("model=lstm,gru", "logger=wandb"), trials=2)


def test_a_bad_journal_is_one_line(tmp_path: Path) -> None:
    world = World(tmp_path, curve)
    run(world, trials=2)
    journal = tmp_path / "fake" / "search.journal"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:3], "garbage\n", *lines[3:]]))
    with pytest.raises(RequestError, match="line 4: not a line of a search's journal"):
        run(world, trials=2)
    journal.write_text('{"op_code": 4, "worker_id": "x"}\n')
    with pytest.raises(RequestError, match="not the journal of a search"):
        run(world, trials=2)


def test_the_end_says_the_best_and_how_to_train_it_again(tmp_path: Path) -> None:
    said: list[str] = []
    world = World(tmp_path, curve)
    found = run(world, (*WORDS, "experiment_name=fake", "title='two words'"), said, trials=12)
    trials = [trial for trial in trials_of(world) if trial.state == TrialState.COMPLETE]
    best = max(trials, key=lambda trial: trial.values[0])
    assert found.best == [best.number]
    assert all(word in found.command for word in ("s2s-train", "experiment_name=fake", *best.user_attrs["words"]))
    assert "hydra.searchpath" not in found.command
    assert sum(found.importance["exact_match"].values()) == pytest.approx(1.0)
    record = read_json(tmp_path / "fake" / "search.json")
    assert record["best"] == found.best and len(record["trials"]) == 12
    assert record["trials"][best.number]["validations"] == [[100 * (n + 1), v] for n, v in enumerate(
        curve(chosen_by(best.user_attrs["words"]))
    )]  # fmt: skip
    assert len([line for line in said if line.startswith("trial ")]) == 12


def test_the_command_of_the_best_finds_options_of_ones_own(tmp_path: Path) -> None:
    found = run(World(tmp_path, curve), trials=2, search_path=["hydra.searchpath=[/my/options]"])
    assert shlex.split(found.command)[:2] == ["s2s-train", "hydra.searchpath=[/my/options]"]


def test_an_interrupt_is_told_and_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    world = World(tmp_path, curve)
    with monkeypatch.context() as patch:
        patch.setattr("tests.sweeps.search.fakes.FakeEngine.wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(world, trials=3)
    assert read_json(tmp_path / "fake" / "search.json")["best"] == [], "what there is so far is on record"
    run(world, said=said, trials=3)
    assert "goes on: 0 of 3 trials are done, 1 interrupted" in said[0]
    assert len(told(world)) == 3


def interrupt(engine: Any, seconds: float) -> list[Any]:
    raise KeyboardInterrupt

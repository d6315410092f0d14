"""What a sweep says of itself while it runs."""

import io
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.sweeps.display import Display
from s2s_lab.sweeps.engine import Running
from s2s_lab.sweeps.outcome import Outcome
from tests.sweeps import stubs


def shown(total: int) -> tuple[Display, io.StringIO]:
    text = io.StringIO()
    return Display(total=total, console=Console(file=text, width=400)), text


def at_work(job: FrozenJob, *, step: int, of: int, seconds: float, began_at: int = 0) -> Running:
    folder = job.create_folder()
    folder.update({"steps": step, "total_steps": of})
    if step:
        pace = seconds / (step - began_at)
        folder.metrics_csv.write_text(f"epoch,step,seconds\n0,{step},{pace * step}\n")
    task = SimpleNamespace()
    return Running(job, folder, task, 1, time.monotonic() - seconds, began_at)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ended", "waiting", "running", "expected"),
    [
        ([], 0, [(0, 100, 5.0, 0)], None),  # nothing is known
        ([], 0, [(1, 100, 5.0, 0)], None),  # 1 % says nothing
        ([], 0, [(25, 100, 30.0, 0)], 90.0),
        ([], 0, [(75, 100, 30.0, 50)], 30.0),  # a resumed job: 30 s for a quarter
        ([], 3, [(50, 100, 60.0, 0)], 60.0 + 3 * 120.0),
        ([100.0], 0, [(0, 100, 30.0, 0)], 70.0),
        ([100.0], 0, [(0, 100, 130.0, 0)], 0.0),  # late, never negative
        ([100.0, 300.0], 2, [(0, 100, 0.0, 0), (0, 100, 0.0, 0)], 400.0),  # two at a time: 2 x 200 s each
    ],
)
def test_the_time_left_follows_steps_and_what_has_ended(
    ended: list[float],
    waiting: int,
    running: list[tuple[int, int, float, int]],
    expected: float | None,
    tmp_path: Path,
) -> None:
    display, _ = shown(len(ended) + waiting + len(running))
    display.seconds, display.ended_jobs = ended, len(ended)
    items = [
        at_work(stubs.stub_job(tmp_path, seed), step=step, of=of, seconds=seconds, began_at=began)
        for seed, (step, of, seconds, began) in enumerate(running)
    ]
    assert display._left(items) == (None if expected is None else pytest.approx(expected, abs=0.5))


@pytest.mark.parametrize("higher", [True, False])
def test_the_best_score_follows_its_direction_and_words_of_all_jobs_are_left_out(higher: bool, tmp_path: Path) -> None:
    display, text = shown(3)
    jobs = [FrozenJob(f"model=lstm seed={seed}", stubs.stub_job(tmp_path, seed).settings) for seed in (1, 2, 3)]
    display.plan(jobs, at_once=2, cores=1, done=0, seconds=60.0)
    for job, value in zip(jobs, (0.5, 0.7, 0.3), strict=True):
        folder = job.create_folder()
        history = {"monitor": "validation/score", "higher_is_better": higher, "history": [[1, value]]}
        folder.update({"steps": 1, "total_steps": 1, "validations": history})
        display.started(job, folder, resume=False)
        display.ended(Outcome(job, "finished", folder))
    said = text.getvalue()
    assert "3 jobs, 2 at a time with 1 core each, about 2 min 0 s" in said
    assert "(3 of 3)" in said and "finished: seed=3  score 0.3" in said and "model=lstm" not in said
    assert ("best score 0.7 (seed=2)" if higher else "best score 0.3 (seed=3)") in display._summary([])


def scored(job: FrozenJob, monitor: str, value: float, *, higher: bool) -> Running:
    item = at_work(job, step=1, of=4, seconds=1.0)
    history = {"monitor": f"validation/{monitor}", "higher_is_better": higher, "history": [[1, value]]}
    item.folder.update({"validations": history})
    return item


def test_the_best_so_far_counts_jobs_that_run_and_never_compares_different_metrics(tmp_path: Path) -> None:
    display, _ = shown(4)
    items = [
        scored(stubs.stub_job(tmp_path, seed), monitor, value, higher=monitor == "bleu")
        for seed, (monitor, value) in enumerate([("bleu", 30.0), ("loss", 2.5), ("bleu", 31.0), ("loss", 2.75)])
    ]
    said = display._summary(items)
    assert "best bleu 31 (seed=2)" in said and "best loss 2.5 (seed=1)" in said
    display.ended(Outcome(items[1].job, "finished", items[1].folder))
    assert "best loss 2.5 (seed=1)" in display._summary([items[3]])
    console = Console(file=io.StringIO(), width=200)
    console.print(display._table(items))
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(f"seed={seed}" in drawn for seed in range(4)) and "1/4" in drawn and "bleu 31" in drawn


def test_each_end_is_told_in_its_own_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    display, text = shown(5)
    job = stubs.stub_job(tmp_path, 1)
    folder = job.create_folder()
    display.ended(Outcome(job, "failed", folder, "killed by signal 9", out_of_memory=True))
    display.ended(Outcome(job, "refused", None, "a wish\nthat [cannot] be"))
    display.ended(Outcome(job, "interrupted", folder))
    display.ended(Outcome(job, "stopped", folder))
    display.ended(Outcome(job, "stopped", folder, "another process trains it"))
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"s2s-train: seed=1 failed (out of memory): killed by signal 9; see {folder.error_file}",
        "s2s-train: seed=1 refused: a wish that [cannot] be",
        "s2s-train: seed=1 was interrupted; the same command goes on with it",
    ]
    said = text.getvalue()
    assert "stopped, its state is saved: seed=1\n" in said and "stopped, another process trains it: seed=1\n" in said
    assert display._summary([]) == "0 of 5 done, 0 running, 2 failed"


def test_a_terminal_is_left_alone_until_there_is_something_to_show(tmp_path: Path) -> None:
    """Until then the sweep may ask a question there."""
    text = io.StringIO()
    with Display(total=1, console=Console(file=text, width=100, force_terminal=True)) as display:
        assert text.getvalue() == ""
        display.plan([stubs.stub_job(tmp_path, 0)], at_once=1, cores=1, done=0, seconds=None)
        assert "\x1b[?25l" in text.getvalue()  # the cursor is hidden while the table lives
    assert text.getvalue().rindex("\x1b[?25h") > text.getvalue().rindex("\x1b[?25l")


def test_the_table_names_the_jobs_that_wait(tmp_path: Path) -> None:
    display, text = shown(9)
    jobs = [FrozenJob(f"model=lstm seed={seed}", stubs.stub_job(tmp_path, seed).settings) for seed in range(9)]
    display.plan(jobs, at_once=1, cores=1, done=0, seconds=None)
    display.started(jobs[0], jobs[0].create_folder(), resume=False)
    display.console.print(display._table([at_work(jobs[1], step=1, of=4, seconds=0.0)]))
    drawn = text.getvalue()
    assert [f"seed={seed}" in drawn for seed in range(1, 9)] == [True] * 5 + [False] * 3 and "and 3 more" in drawn
    for job in jobs[1:]:
        display.ended(Outcome(job, "stopped", None))
    text.truncate(0)
    display.console.print(display._table([]))
    assert "wait" not in text.getvalue()


def test_what_the_plan_could_not_tell_is_told_once_the_first_job_has_trained_a_while(tmp_path: Path) -> None:
    display, text = shown(4)
    jobs = [stubs.stub_job(tmp_path, seed) for seed in range(4)]
    display.plan(jobs, at_once=1, cores=1, done=0, seconds=None)
    assert "about" not in text.getvalue()
    display.refresh([at_work(jobs[0], step=0, of=100, seconds=1.0)])
    assert "about" not in text.getvalue()
    for _ in range(2):
        display.refresh([at_work(jobs[1], step=50, of=100, seconds=60.0)])
    assert text.getvalue().count("about 7 min 0 s left, by the pace of the first jobs") == 1


def test_the_plan_of_a_search_counts_its_trials_and_what_is_done_of_them(tmp_path: Path) -> None:
    display, text = shown(20)
    display.plan([stubs.stub_job(tmp_path, 0)], at_once=2, cores=1, done=4, seconds=60.0, drawn=True)
    assert "20 jobs, 4 of them done before, 2 at a time with 1 core each, about 8 min 0 s" in text.getvalue()
    assert "4 of 20 done" in display._summary([])

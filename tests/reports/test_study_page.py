"""A study's page tells what its numbers are of, and the overview of all studies is what their results say."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from s2s_lab.records.results import Results, write_results
from s2s_lab.records.study_file import Study
from s2s_lab.reports.study_overview import write_overview
from s2s_lab.reports.study_page import render_page
from tests.records.test_study_file import read

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
TEXT = """
title: The paper
seeds: [1, 2]
base: {experiment: scan}
evaluations: {greedy: {split: test, decoding: greedy}}
rows: {one: {set: {model: lstm}}, other: {set: {model: gru}}}
"""


def entry(row: str, seed: int, seconds: float, *, evaluated: bool = True, **facts: object) -> dict:
    score = {"name": "bleu", "value": 10.0 + seed, "signature": "BLEU|nrefs:1|case:lc", "higher_is_better": True}
    made = {"definition": "d", "split": "test", "signature": "greedy", "data_fingerprint": "f", "sentences": 5,
            "scores": [score]}  # fmt: skip
    return {"hash": f"{row}{seed}", "row": row, "seed": seed, "definition": "d", "seconds": seconds, "monitor": "bleu",
            "evaluations": {"greedy": made} if evaluated else {}, **facts}  # fmt: skip


def page(study: Study, *jobs: dict, claims: Sequence[dict] = ()) -> str:
    for each in (made for job in jobs for made in job["evaluations"].values()):
        each["definition"] = study.evaluation_definition("greedy")
    return render_page(study, Results(study.name, list(jobs), claims=list(claims)), {})


def line(text: str, row: str) -> str:
    return next(each for each in text.splitlines() if each.startswith(f"| `{row}`"))


def test_time_and_marks_of_a_row_are_those_of_the_trainings_in_its_table(tmp_path: Path) -> None:
    study = read(tmp_path, TEXT)
    cut = {"stopped_by": "max_minutes", "steps": 2420, "total_steps": 4000}
    text = page(study, entry("one", 1, 100), entry("one", 2, 900, evaluated=False, **cut), entry("other", 1, 60))
    assert "| 1 of 2 |" in line(text, "one") and "1 min 40 s" in line(text, "one") and "‡" not in text
    assert "- `one` seed 2 is trained, not evaluated; a time limit ended it after 2,420 of 4,000 steps" in text
    text = page(study, entry("one", 1, 100, **cut), entry("other", 1, 60))
    assert line(text, "one").startswith("| `one` ‡ |") and "‡" not in line(text, "other")
    assert "; ‡ a time limit ended a training before its last step." in text


def test_a_training_that_two_rows_share_took_its_time_once(tmp_path: Path) -> None:
    shared = [{**entry(row, 1, 3600), "hash": "same"} for row in ("one", "other")]
    assert "2 of 4 trainings done in 1 h 00 min of training." in page(read(tmp_path, TEXT), *shared)


def test_a_seed_without_a_finite_score_is_counted_and_told_where_it_lacks(tmp_path: Path) -> None:
    jobs = [entry("one", 1, 60), entry("one", 2, 180)]
    for job, value in zip(jobs, (None, 7.0), strict=True):
        perplexity = {"name": "perplexity", "value": value, "signature": "PPL", "higher_is_better": False}
        job["evaluations"]["greedy"]["scores"].insert(0, perplexity)
    told = line(page(read(tmp_path, TEXT), *jobs), "one")
    assert "| 2 of 2 | 7.00 (1 seed) | 11.50 ± 6.35 |" in told and "2 min 00 s" in told


def test_a_claim_that_rests_on_a_training_cut_by_time_says_so(tmp_path: Path) -> None:
    claims = "claims:\n" + "".join(
        f"  of_{row}: {{kind: value, row: {row}, score: bleu, published: 9, tolerance: 1}}\n"
        for row in ("one", "other")
    )
    study = read(tmp_path, TEXT + claims)
    said = [{"claim": name, "ours": "11", "verdict": "open"} for name in study.claims]
    cut = {"stopped_by": "max_minutes"}
    waiting = [entry("other", 2, 1, evaluated=False, **cut)]
    whole = page(study, entry("one", 1, 1), entry("other", 1, 1), *waiting, claims=said)
    assert "‡" not in whole
    short = page(study, entry("one", 1, 1, **cut), entry("other", 1, 1), *waiting, claims=said)
    assert "| of\\_one |  | 11 ‡ |" in short and "| of\\_other |  | 11 |" in short
    assert "‡ a time limit ended a training before its last step." in short.split("## Results")[0]


def test_commands_name_the_study_as_a_clone_has_it(tmp_path: Path) -> None:
    text = page(read(tmp_path, TEXT))
    assert f"s2s-study run {tmp_path.name}/paper\n" in text and "paths.data=DIR" in text


def test_the_overview_in_the_repository_is_that_of_the_results_in_it(tmp_path: Path) -> None:
    copy = tmp_path / "experiments"
    for file in (*EXPERIMENTS.glob("*/study.yaml"), *EXPERIMENTS.glob("*/results.json"), EXPERIMENTS / "README.md"):
        (copy / file.relative_to(EXPERIMENTS)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy / file.relative_to(EXPERIMENTS))
    made = write_overview(copy)
    assert made is not None and made.read_text() == (EXPERIMENTS / "README.md").read_text()


def test_the_overview_counts_the_verdicts_and_trainings_of_each_study(tmp_path: Path) -> None:
    claims = "claims:\n" + "".join(
        f"  of_{row}: {{kind: value, row: {row}, score: bleu, published: 9, tolerance: 1}}\n"
        for row in ("one", "other")
    )
    (tmp_path / "experiments").mkdir()
    study = read(tmp_path / "experiments", TEXT + claims)
    made = write_overview(tmp_path / "experiments")
    assert made is not None
    assert f"| [The paper]({study.name}/README.md) | 0 of 4 |  |  |  | 2 |" in made.read_text()
    judged = [{"claim": f"of_{row}", "ours": "9", "verdict": verdict}
              for row, verdict in (("one", "reproduced"), ("other", "inconclusive"))]  # fmt: skip
    jobs = [entry(row, seed, 60) for row in ("one", "other") for seed in (1, 2)]
    for count, expected in ((3, "| 3 of 4 | 1 |  | 1 |  |"), (4, "| 4 | 1 |  | 1 |  |")):
        write_results(study, Results(study.name, jobs[:count], claims=judged))
        write_overview(made.parent)
        assert expected in made.read_text()

"""Every study of the repository is read, and so is the one that its guide shows."""

import json
import re
from pathlib import Path

import pytest

from s2s_lab.records.plain_yaml import read_yaml
from s2s_lab.records.study_file import OF_THE_MODEL, read_study
from s2s_lab.reports.study_overview import BEGIN, END

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
GUIDE = (EXPERIMENTS / "README.md").read_text(encoding="utf-8")
STUDIES = sorted(EXPERIMENTS.glob("*/study.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_it_is_read(path: Path) -> None:
    assert read_study(path).claims


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_its_results_and_its_page_are_of_the_study_as_it_is(path: Path) -> None:
    study, results = read_study(path), json.loads(path.with_name("results.json").read_text(encoding="utf-8"))
    rows = {row.name: row for row in study.rows}
    for job in results["jobs"]:
        assert study.definition(rows[job["row"]], job["seed"]) == job["definition"], job["label"]
    page = path.with_name("README.md").read_text(encoding="utf-8")
    assert " ".join(study.about.split()) in " ".join(page.split()), "`s2s-study report` writes it anew"


def test_what_belongs_to_a_model_is_what_models_choose() -> None:
    chosen = {
        choice.removeprefix("override ").lstrip("/").split("@")[0]
        for path in (EXPERIMENTS.parent / "conf" / "model").glob("*.yaml")
        for entry in read_yaml(path)["defaults"]
        if isinstance(entry, dict)
        for choice in entry
    }
    assert chosen == set(OF_THE_MODEL)


def test_the_guides_study_composes(tmp_path: Path) -> None:
    from s2s_lab.assemble.study import StudyComposer

    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    folder = tmp_path / "guide"
    folder.mkdir()
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    study = read_study(folder)
    assert [row.name for row in study.rows] == ["plain[cell=gru]", "plain[cell=lstm]", "attention"]
    composed = StudyComposer(study).compose(study.rows)
    assert len({job.hash for each in composed for job in each.jobs.values()}) == 6


def test_the_overview_has_its_marks_once() -> None:
    assert GUIDE.count(BEGIN) == GUIDE.count(END) == 1 and GUIDE.index(BEGIN) < GUIDE.index(END)

"""The jobs of a sweep are told apart before the first one starts."""

from pathlib import Path

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.train import Trainings


@pytest.mark.parametrize(("one", "other"), [("name=a", "name=b"), ("trainer.num_threads=1", "trainer.num_threads=2")])
def test_two_jobs_that_would_give_the_same_model_are_refused_by_their_words(
    one: str, other: str, tmp_path: Path
) -> None:
    words = ["debug=tiny", f"paths.outputs={tmp_path}", "experiment_name=sweep"]
    with pytest.raises(RequestError) as caught:
        Trainings(sweep=True).prepare([[*words, one], [*words, other]])
    said = str(caught.value)
    assert one in said and other in said and "are the same job" in said
    assert not any(tmp_path.iterdir())


def test_jobs_that_differ_in_what_decides_the_model_or_in_their_experiment_are_prepared(tmp_path: Path) -> None:
    words = ["debug=tiny", f"paths.outputs={tmp_path}"]
    own = [["experiment_name=a", "seed=1"], ["experiment_name=a", "seed=2"], ["experiment_name=b", "seed=1"]]
    jobs = Trainings(sweep=True).prepare([[*words, *each] for each in own])
    assert jobs[0].hash == jobs[2].hash != jobs[1].hash

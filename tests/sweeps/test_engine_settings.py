"""What hydra.launcher may say."""

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.engine_settings import EngineSettings


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"job_at_once": 2}, "unknown key hydra.launcher.job_at_once; did you mean jobs_at_once?"),
        ({"jobs_at_once": 0}, "hydra.launcher.jobs_at_once=0: a number of at least 1 is expected"),
        ({"cores_per_job": 1.5}, "hydra.launcher.cores_per_job=1.5: a number of at least 1"),
        ({"retries": None}, "hydra.launcher.retries=None"),
        ({"backend": "moon"}, "hydra.launcher.backend=moon: one of local, slurm, ray is expected"),
        ({"on_failure": "cry"}, "hydra.launcher.on_failure=cry: one of continue, stop, retry is expected"),
        ({"warm": "yes"}, "hydra.launcher.warm=yes: true or false is expected"),
        ({"options": 3}, "hydra.launcher.options=3"),
    ],
)
def test_what_is_wrong_is_named(node: dict, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        EngineSettings.of(node)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("cores", "total", "settings", "expected"),
    [
        (2, 8, {}, 1),
        (64, 8, {}, 8),
        (64, 3, {}, 21),
        (64, 100, {}, 1),
        (64, 100, {"jobs_at_once": 4}, 16),
        (2, 1, {}, 2),
        (64, 8, {"cores_per_job": 3}, 3),
        (64, 8, {"backend": "slurm"}, 1),
    ],
)
def test_the_cores_are_shared_by_the_jobs_that_run_at_once(
    monkeypatch: pytest.MonkeyPatch, cores: int, total: int, settings: dict, expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.setattr("s2s_lab.sweeps.engine_settings.gpus_of_machine", lambda: ())
    assert EngineSettings(**settings).cores_of_a_job(total) == expected


def test_on_gpus_the_cores_are_shared_by_the_jobs_that_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(16)))
    monkeypatch.setattr("s2s_lab.sweeps.engine_settings.gpus_of_machine", lambda: ("0", "1"))
    assert EngineSettings(jobs_per_gpu=2).cores_of_a_job(40) == 4
    assert EngineSettings(jobs_per_gpu=2).jobs_together(40) == 4
    assert EngineSettings().gpus_of_a_job(2) == 2


def test_jobs_that_use_no_gpu_share_the_cores_as_on_a_machine_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(16)))
    monkeypatch.setattr("s2s_lab.sweeps.engine_settings.gpus_of_machine", lambda: ("0", "1"))
    on_cpu, anywhere = {"accelerator": "cpu"}, {"accelerator": "auto"}
    assert EngineSettings().without_gpus([on_cpu, on_cpu]).jobs_together(40) == 16
    assert EngineSettings().without_gpus([on_cpu, anywhere]).jobs_together(40) == 2
    assert EngineSettings(gpus_per_job=1).without_gpus([on_cpu]).jobs_together(40) == 2
    assert EngineSettings(gpus_per_job=2, jobs_per_gpu=2).jobs_together(40) == 2

"""A tracker that raises, hangs or is slow at any call is switched off with one warning; the training is the same."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from lightning.pytorch.loggers.logger import Logger

from s2s_lab.assemble import experiment
from s2s_lab.assemble.training_record import end_loggers
from s2s_lab.training.loggers import guarded
from s2s_lab.training.loggers.guarded import GuardedTracker
from tests.assemble.test_experiment import curve, frozen, run

CALLS = ["build", "experiment", "log_metrics", "save", "finalize", "show_examples", "keep_model", "end"]


class Tracker(Logger):
    """Does `act` in the call named `at`, and remembers all calls."""

    later = "its files are under /some/where"

    def __init__(self, at: str, act: Callable[[], None]) -> None:
        super().__init__()
        self.at, self.act, self.calls = at, act, []
        self._called("build")

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name == self.at:
            self.act()

    @property
    def name(self) -> str:
        return "odd"

    @property
    def version(self) -> str:
        return ""

    @property
    def experiment(self) -> "Tracker":
        self._called("experiment")
        return self

    def log_metrics(self, metrics, step=None) -> None:
        self._called("log_metrics")

    def log_hyperparams(self, params, *args, **kwargs) -> None:
        """Not called: a module keeps no hyper-parameters of its own."""

    def save(self) -> None:
        self._called("save")

    def finalize(self, status) -> None:
        self._called("finalize")

    def show_examples(self, examples, *, step) -> None:
        self._called("show_examples")

    def keep_model(self, folder, facts) -> None:
        self._called("keep_model")

    def end(self, scores) -> None:
        self._called("end")


def fail() -> None:
    raise ConnectionError("the server\nis away")


def leave() -> None:
    raise SystemExit(3)


def trained_with(at: str, act: Callable[[], None], folder: Path, monkeypatch: pytest.MonkeyPatch, **seconds: float):
    """A tiny run with one tracker beside the curves; the run folder and the trackers made."""
    made: list[Tracker] = []

    def make() -> Tracker:
        made.append(Tracker(at, act) if at != "build" else Tracker("", act))
        if at == "build":
            act()
        return made[-1]

    whole = experiment._loggers
    monkeypatch.setattr(experiment, "_loggers", lambda *words: [*whole(*words), GuardedTracker("odd", make, **seconds)])
    return run(folder, "callbacks=default", "callbacks.progress=false"), made


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses without any tracker."""
    return curve(run(tmp_path_factory.mktemp("alone"), "callbacks=default", "callbacks.progress=false"), "train/loss")


@pytest.mark.parametrize("act", [fail, leave])
@pytest.mark.parametrize("at", CALLS)
def test_a_tracker_that_raises(
    at: str, act: Callable[[], None], tmp_path: Path, alone: list[float], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made, trackers = trained_with(at, act, tmp_path, monkeypatch)
    assert made.read()["status"] == "finished"
    assert curve(made, "train/loss") == alone
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert "logger.odd is switched off" in warnings[0]
    assert ("under /some/where" in warnings[0]) == (at != "build")
    assert "logger.odd is switched off" in made.log_file.read_text()
    if at != "build":
        assert trackers[0].calls.index(at) == len(trackers[0].calls) - 1  # nothing is called after it


@pytest.mark.parametrize("at", ["build", "experiment", "log_metrics", "end"])
def test_a_tracker_that_hangs(
    at: str, tmp_path: Path, alone: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    released = threading.Event()
    began = time.monotonic()
    made, _ = trained_with(at, released.wait, tmp_path, monkeypatch, start=0.3, call=0.3, end=0.3)
    released.set()
    assert time.monotonic() - began < 30
    assert made.read()["status"] == "finished"
    assert curve(made, "train/loss") == alone
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert "did not answer within 0.3 s" in warning


def test_a_tracker_that_slows_the_training_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]  # seconds; only the tracker's answers take time

    def answer_late() -> None:
        clock[0] += 40.0

    monkeypatch.setattr(guarded, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    made, trackers = trained_with("log_metrics", answer_late, tmp_path, monkeypatch)
    assert made.read()["status"] == "finished"
    assert "switched off (the training has waited 80 s for it)" in capsys.readouterr().err
    assert trackers[0].calls.count("log_metrics") == 2


def test_a_sound_tracker_gets_every_call_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    _, (tracker,) = trained_with("never", fail, tmp_path, monkeypatch)
    assert set(CALLS) <= set(tracker.calls)
    assert tracker.calls[0] == "build" and tracker.calls[-1] == "end"
    assert "warning" not in capsys.readouterr().err


@pytest.mark.slow
def test_an_unreachable_wandb_is_logged_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
        monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
        monkeypatch.setenv("WANDB_LOGIN_TIMEOUT", "1")
        monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "1")
        made = frozen(tmp_path, "logger.wandb.mode=online", logger="wandb")
        began = time.monotonic()
        end_loggers(made, experiment.train(made))
    assert time.monotonic() - began < 40
    assert made.read()["status"] == "finished"
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert "offline" in warning and f"wandb sync {made.path}/wandb/offline-run-*" in warning
    (file,) = made.path.glob("wandb/offline-run-*/*.wandb")
    assert file.stat().st_size > 1000

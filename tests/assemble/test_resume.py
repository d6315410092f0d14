"""A training that is stopped and resumed gives bitwise what one that was never stopped gives."""

import csv
import errno
import gc
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from s2s_lab.assemble.configuration import LATER_KEYS
from s2s_lab.assemble.experiment import train
from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder, find_runs
from s2s_lab.training.callbacks import time_limit
from s2s_lab.training.callbacks.last_checkpoint import LastCheckpoint
from s2s_lab.training.checkpoint_io import read_checkpoint
from s2s_lab.training.module import Seq2SeqModule
from tests.assemble.test_experiment import run

GOLDEN = Path(__file__).parents[1] / "training" / "golden" / "schema1.ckpt"
TIMES = {"seconds", "train/tokens_per_second"}
SIDES = ("source", "target")
STEPS = 9
PLAIN = (f"trainer.max_steps={STEPS}", "trainer.validate_every=4", "encoder.dropout=0.3", "metrics.monitor=loss")
VARIANTS = {
    "plain": PLAIN,
    "each epoch": (*PLAIN, "trainer.validate_every=null"),
    "scheduled sampling": (*PLAIN, "teacher_forcing=half"),
    "a coin for each sentence": (*PLAIN, "teacher_forcing=half_sequences"),
    "replacement": (*PLAIN, "data.replacement=true"),
    "sampled validation": (*PLAIN, "decoding=sampling"),
    "plateau": (*PLAIN, "learning_rate=plateau", "optimizer.lr=0.1"),
    "cosine": (*PLAIN, "learning_rate=cosine"),
    "early stopping": (*PLAIN, "trainer.patience=1", "optimizer.lr=5.0", "trainer.validate_every=2"),
    "accumulation": (*PLAIN, "trainer.accumulate=3", "data.batch.max_sentences=10"),
    "padded tokens": (*PLAIN, "data.batch.max_sentences=null", "data.batch.max_tokens=200"),
    "two workers": (*PLAIN, "data.num_workers=2"),
}


class Killed(BaseException):
    """Stands for SIGKILL: nothing is written after it."""


class FaultError(Exception):
    """Stands for any fault that nobody foresaw."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., RunFolder]:
    """Runs that were never stopped, each made once."""
    made: dict[str, RunFolder] = {}

    def of(variant: str) -> RunFolder:
        if variant not in made:
            made[variant] = run(tmp_path_factory.mktemp("whole"), *VARIANTS[variant])
        return made[variant]

    return of


def rows(made: RunFolder) -> list[dict[str, str]]:
    with made.metrics_csv.open() as file:
        return [{name: value for name, value in row.items() if name not in TIMES} for row in csv.DictReader(file)]


def assert_equal(first: Any, second: Any) -> None:
    """The same to the bit, in tensors and containers."""
    assert type(first) is type(second)
    if isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype and torch.equal(first, second)
    elif isinstance(first, dict):
        assert list(first) == list(second)
        for key in first:
            assert_equal(first[key], second[key])
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    else:
        assert first == second or (isinstance(first, float) and math.isnan(first) and math.isnan(second))


def assert_same_run(first: RunFolder, second: RunFolder) -> None:
    for name in ("last.ckpt", "best.ckpt"):
        one, other = read_checkpoint(first.checkpoints / name), read_checkpoint(second.checkpoints / name)
        for checkpoint in (one, other):
            del checkpoint["continuation"]["seconds"], checkpoint["continuation"]["loggers"]
            for state in checkpoint["callbacks"].values():  # times, and the folder's own name
                for key in ("seconds", "dirpath", "best_model_path", "kth_best_model_path", "best_k_models"):
                    state.pop(key, None)
        assert_equal(one, other)
    assert rows(first) == rows(second)
    facts = [made.read() for made in (first, second)]
    for key in ("steps", "epochs", "tokens", "best", "under_trained", "status"):
        assert facts[0][key] == facts[1][key], key
    weights = [(made.model / "model.safetensors").read_bytes() for made in (first, second)]
    assert weights[0] == weights[1]


def interrupt_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Sends this process the signal of Ctrl-C in the middle of every update from `step` on."""
    inner = Seq2SeqModule.training_step

    def interrupted(self: Seq2SeqModule, *rest: Any) -> Any:
        if self.global_step >= step - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return inner(self, *rest)

    patch.setattr(Seq2SeqModule, "training_step", interrupted)


def stopped(folder: Path, words: tuple[str, ...], *, how: str, step: int, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run that was stopped before its update `step`, or in the validation at `step`."""
    with monkeypatch.context() as patch:
        if how == "interrupt":
            interrupt_at(step, patch)
        else:
            hook = {"fault": "training_step", "kill": "training_step"}.get(how, "validation_step")
            inner = getattr(Seq2SeqModule, hook)

            def broken(self: Seq2SeqModule, *rest: Any) -> Any:
                if self.global_step >= step:
                    torch.rand(7)
                    raise Killed if how == "kill" else FaultError
                return inner(self, *rest)

            patch.setattr(Seq2SeqModule, hook, broken)
        if how == "kill":
            patch.setattr(LastCheckpoint, "on_exception", lambda *_: None)
        with pytest.raises((KeyboardInterrupt, Killed, FaultError)):
            run(folder, *words)
    gc.collect()  # the loaders' threads end here, not in the middle of another test
    (made,) = find_runs([folder])
    return made


@pytest.mark.parametrize(
    ("how", "step"),
    [
        *(("interrupt", step) for step in (1, 3, 4, 8)),
        *(("fault", step) for step in (0, 4, 5)),
        *(("kill", step) for step in (3, 4, 8)),
        *(("fault in validation", step) for step in (4, STEPS)),
    ],
)
def test_resuming_gives_bitwise_the_same(
    how: str, step: int, whole: Callable[..., RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stopped(tmp_path, VARIANTS["plain"], how=how, step=step, monkeypatch=monkeypatch)
    train(made, resume=True)
    assert_same_run(whole("plain"), made)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # a loader's, cut off
@pytest.mark.parametrize(
    ("variant", "how"),
    [
        *((variant, "interrupt") for variant in VARIANTS if variant != "plain"),
        *((variant, "kill") for variant in ("plateau", "early stopping", "accumulation", "two workers")),
        *((variant, "fault in validation") for variant in ("sampled validation", "plateau", "two workers")),
    ],
)
def test_every_kind_of_state_is_resumed(
    variant: str, how: str, whole: Callable[..., RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = 3 if variant == "early stopping" else 6
    made = stopped(tmp_path, VARIANTS[variant], how=how, step=step, monkeypatch=monkeypatch)
    train(made, resume=True)
    assert_same_run(whole(variant), made)


def test_a_run_stopped_again_and_again_is_the_same(
    whole: Callable[..., RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stopped(tmp_path, VARIANTS["plain"], how="interrupt", step=1, monkeypatch=monkeypatch)
    for step in range(2, STEPS):
        with monkeypatch.context() as patch:
            interrupt_at(step, patch)
            with pytest.raises(KeyboardInterrupt):
                train(made, resume=True)
        assert read_checkpoint(made.checkpoints / "last.ckpt")["global_step"] == step
    train(made, resume=True)
    assert_same_run(whole("plain"), made)


def test_an_interrupt_saves_the_step_it_stopped_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stopped(tmp_path, VARIANTS["plain"], how="interrupt", step=7, monkeypatch=monkeypatch)
    assert read_checkpoint(made.checkpoints / "last.ckpt")["global_step"] == 7
    assert read_checkpoint(made.checkpoints / "previous.ckpt")["global_step"] == 4


def test_a_fault_in_an_update_leaves_the_checkpoint_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    update = Seq2SeqModule.optimizer_step

    def broken(self: Seq2SeqModule, *rest: Any) -> None:
        update(self, *rest)
        if self.global_step == 5:
            raise FaultError

    monkeypatch.setattr(Seq2SeqModule, "optimizer_step", broken)
    with pytest.raises(FaultError):
        run(tmp_path, *VARIANTS["plain"])
    (made,) = find_runs([tmp_path])
    assert read_checkpoint(made.checkpoints / "last.ckpt")["global_step"] == 4


def test_a_moved_run_goes_on_in_its_new_place(
    whole: Callable[..., RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stopped(tmp_path, VARIANTS["plain"], how="interrupt", step=5, monkeypatch=monkeypatch)
    moved = RunFolder(Path(shutil.move(made.path, tmp_path / "elsewhere")))
    train(moved, resume=True)
    assert_same_run(whole("plain"), moved)


def damaged(path: Path, kind: str) -> None:
    content = bytearray(path.read_bytes())
    if kind == "cut short":
        del content[len(content) // 2 :]
    elif kind == "emptied":
        content.clear()
    else:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["cut short", "emptied", "altered"])
def test_a_damaged_last_checkpoint_is_noticed_and_the_one_before_used(
    kind: str,
    whole: Callable[..., RunFolder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = stopped(tmp_path, VARIANTS["plain"], how="interrupt", step=6, monkeypatch=monkeypatch)
    damaged(made.checkpoints / "last.ckpt", kind)
    train(made, resume=True)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "last.ckpt" in line and line.endswith("previous.ckpt is used instead")
    assert_same_run(whole("plain"), made)


def test_without_a_whole_checkpoint_the_training_begins_anew(
    whole: Callable[..., RunFolder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = stopped(tmp_path, VARIANTS["plain"], how="kill", step=6, monkeypatch=monkeypatch)
    for path in made.checkpoints.glob("*.ckpt"):
        damaged(path, "altered")
    train(made, resume=True)
    assert "begins at its first step" in capsys.readouterr().err
    assert_same_run(whole("plain"), made)


def test_a_checkpoint_of_the_first_schema_is_gone_on_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = run(
        tmp_path, "trainer.max_steps=7", "data.size=40", "embedding.embedding_size=4", "encoder.hidden_size=4",
        "decoder.hidden_size=4", "attention=none", "decoder=attend_last", "cell=gru", "bridge=copy",
        "learning_rate=plateau", "trainer.validate_every=2",
    )  # fmt: skip
    configuration = made.configuration()
    for section, keys in LATER_KEYS.items():
        for key in keys:
            del configuration[section][key]
    del configuration["init"]
    made.write_configuration(configuration)
    shutil.rmtree(made.checkpoints)
    made.checkpoints.mkdir()
    for name in ("last.ckpt", "best.ckpt"):
        shutil.copy(GOLDEN, made.checkpoints / name)
    assert torch.load(GOLDEN, weights_only=True)["global_step"] == 4
    train(made, resume=True)
    assert "not exactly" in capsys.readouterr().err
    last = read_checkpoint(made.checkpoints / "last.ckpt")
    assert last["global_step"] == 7 and last["schema"] == 2
    assert made.read()["status"] == "finished"


def own_corpus(folder: Path) -> list[str]:
    """The words that choose train.source, train.target, validation.source and validation.target of a folder."""
    files = [f"data.{name}.{side}={folder}/{name}.{side}" for name in ("train", "validation") for side in SIDES]
    return ["data=parallel", "tokenizer=whitespace", *files]


def test_changed_data_are_refused_unless_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("train", 60), ("validation", 12)):
        lines = [" ".join("abcde"[(row * 7 + place) % 5] for place in range(3 + row % 4)) for row in range(count)]
        for side in SIDES:
            (tmp_path / f"{name}.{side}").write_text("\n".join(lines) + "\n")
    words = (*PLAIN, *own_corpus(tmp_path))
    made = stopped(tmp_path / "runs", words, how="interrupt", step=5, monkeypatch=monkeypatch)
    edited = tmp_path / "train.source"
    edited.write_text(edited.read_text().replace("a b c", "c b a", 1))
    with pytest.raises(RequestError, match="changed since"):
        train(made, resume=True)
    assert read_checkpoint(made.checkpoints / "last.ckpt")["global_step"] == 5
    train(made, resume=True, accept_changed_data=True)
    assert made.read()["steps"] == STEPS


def test_other_vocabularies_are_refused_even_when_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("train", "validation"):
        for side in SIDES:
            (tmp_path / f"{name}.{side}").write_text("a b c\nb c a a\n" * 20)
    words = (*PLAIN, *own_corpus(tmp_path))
    made = stopped(tmp_path / "runs", words, how="interrupt", step=2, monkeypatch=monkeypatch)
    edited = tmp_path / "train.source"
    edited.write_text(edited.read_text().replace("a", "x"))
    with pytest.raises(RequestError, match="vocabularies"):
        train(made, resume=True, accept_changed_data=True)


def test_the_record_tells_of_the_resumption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stopped(tmp_path, VARIANTS["plain"], how="interrupt", step=5, monkeypatch=monkeypatch)
    made.resume()
    facts = json.loads(made.run_file.read_text())
    assert facts["status"] == "running" and len(facts["resumed"]) == 1
    train(made, resume=True)
    assert made.read()["status"] == "finished"


def test_one_folder_is_trained_in_by_one_process_at_a_time(tmp_path: Path) -> None:
    made = RunFolder(tmp_path)
    code = f"from pathlib import Path\nfrom s2s_lab.records.run_folder import RunFolder\n" \
        f"with RunFolder(Path({str(tmp_path)!r})).held(): print('held')\n"  # fmt: skip
    with made.held():
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "another process is training in this folder" in other.stderr
    after = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert after.stdout == "held\n"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_to_is_refused(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(RequestError, match=f"cannot be written to .{os.strerror(number)}"), RunFolder(tmp_path).held():
        pass


def test_a_folder_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be written to"), RunFolder(tmp_path / "gone").held():
        pass


class SteppedClock:
    """Time that goes on by a second with each optimizer step and stands still otherwise."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now, inner = 0.0, Seq2SeqModule.training_step

        def timed(module: Seq2SeqModule, *rest: Any) -> Any:
            self.now += 1.0
            return inner(module, *rest)

        patch.setattr(Seq2SeqModule, "training_step", timed)
        patch.setattr(time_limit, "time", self)

    def perf_counter(self) -> float:
        return self.now


def test_a_training_whose_time_is_over_ends_as_at_its_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*PLAIN, "trainer.max_steps=1000", "trainer.validate_every=1000", "trainer.max_minutes=0.1")
    with monkeypatch.context() as patch:
        SteppedClock(patch)
        made = run(tmp_path / "whole", *words)
    facts = made.read()
    assert (facts["status"], facts["stopped_by"], facts["steps"]) == ("finished", "max_minutes", 7)
    assert facts["best"]["step"] == 7 and (made.model / "model.safetensors").is_file()
    assert facts["under_trained"]["flag"]
    with monkeypatch.context() as patch:  # the 3 seconds before an interrupt count
        SteppedClock(patch)
        again = stopped(tmp_path / "stopped", words, how="interrupt", step=3, monkeypatch=monkeypatch)
        assert again.read().get("stopped_by") is None
        train(again, resume=True)
    assert_same_run(made, again)
    assert again.read()["stopped_by"] == "max_minutes"


def test_a_training_that_ends_in_time_does_not_see_its_limit(
    whole: Callable[..., RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SteppedClock(monkeypatch)
    made = run(tmp_path, *PLAIN, f"trainer.max_minutes={STEPS / 60}")
    assert rows(whole("plain")) == rows(made)
    assert made.read()["stopped_by"] == "max_steps"
    assert whole("early stopping").read()["stopped_by"] == "patience"

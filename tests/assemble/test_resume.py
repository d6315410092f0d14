"""A training that is stopped and resumed gives bitwise what one that was never stopped gives."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from s2s_lab.assemble.configuration import LATER_KEYS
from s2s_lab.assemble.experiment import train
from s2s_lab.assemble.inference import load_model
from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder, find_runs
from s2s_lab.training.checkpoint_io import read_checkpoint
from s2s_lab.training.module import Seq2SeqModule
from tests.assemble.stopped_runs import PLAIN, STEPS, VARIANTS, FaultError, assert_same_run, interrupt_at, stopped
from tests.assemble.test_experiment import run

GOLDEN = Path(__file__).parents[1] / "training" / "golden" / "schema1.ckpt"
SIDES = ("source", "target")


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


@pytest.mark.parametrize("kind", ["cut short", "altered", "gone"])
def test_a_damaged_best_checkpoint_is_noticed_at_once_and_the_next_best_counts(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = stopped(tmp_path, VARIANTS["plain"], how="interrupt", step=6, monkeypatch=monkeypatch)
    best = made.checkpoints / "best.ckpt"
    if kind == "gone":
        best.unlink()
    else:
        damaged(best, kind)
    capsys.readouterr()
    train(made, resume=True)
    told = capsys.readouterr().err
    assert "best.ckpt: " in told and "the best of the validations to come is kept in its place" in told
    assert made.read()["status"] == "finished" and (made.model / "model.safetensors").is_file()
    later = [[step, value] for step, value in made.read()["validations"]["history"] if step > 6]
    best = made.read()["best"]
    assert best["metric"] == "validation/loss" and [best["step"], best["value"]] in later
    assert best["value"] == min(value for _, value in later)
    best = made.checkpoints / "best.ckpt"
    assert read_checkpoint(best)["global_step"] > 6
    assert (made.checkpoints / "best.damaged").is_file() == (kind != "gone")


def test_where_no_validation_is_left_the_model_is_that_of_the_newest_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = run(tmp_path, *PLAIN)
    newest = read_checkpoint(made.checkpoints / "last.ckpt")["state_dict"]
    shutil.rmtree(made.model)
    (made.checkpoints / "best.ckpt").unlink()
    train(made, resume=True)
    model = load_model(made.path, device=torch.device("cpu"), precision="float32").network.state_dict()
    assert all(torch.equal(model[key.removeprefix("network.")], value) for key, value in newest.items())
    assert "best.ckpt: it is gone; the model is that of last.ckpt" in capsys.readouterr().err
    facts = made.read()
    last = facts["validations"]["history"][-1]
    assert facts["best"]["checkpoint"] == "checkpoints/last.ckpt"
    assert [facts["best"]["step"], facts["best"]["value"]] == last


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (False, "there is no whole checkpoint: the training begins at its first step"),
        (True, "its checkpoints are gone: the training begins again at its first step"),
    ],
)
def test_without_a_whole_checkpoint_the_training_begins_anew(
    lost: bool,
    told: str,
    whole: Callable[..., RunFolder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = stopped(tmp_path, VARIANTS["plain"], how="kill", step=6, monkeypatch=monkeypatch)
    for path in made.checkpoints.glob("*.ckpt"):
        if lost:
            path.unlink()
        else:
            damaged(path, "altered")
    train(made, resume=True)
    assert told in capsys.readouterr().err
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

"""Too little memory ends in one line with the batch's shape; the largest batch is tried first and leaves no trace."""

from pathlib import Path

import numpy as np
import pytest
import torch

from s2s_lab.assemble.experiment import train
from s2s_lab.data.bucketing import BucketedBatches
from s2s_lab.faults import RunError
from s2s_lab.training.callbacks.current_batch import is_out_of_memory
from s2s_lab.training.module import Seq2SeqModule
from s2s_lab.training.objectives.cross_entropy import CrossEntropy
from tests.assemble.test_experiment import frozen, run
from tests.training.test_bad_batches import equal, weights

FAULTS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee documentation"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried 8 bytes."),
    MemoryError(),
]


@pytest.mark.parametrize("sentences", [{"max_sentences": 7}, {"max_tokens": 200}, {"max_tokens": 300, "world_size": 2}])
def test_the_largest_batch_is_the_largest_of_all(sentences: dict[str, int]) -> None:
    generator = np.random.default_rng(5)
    sources, targets = generator.integers(2, 40, 200), generator.integers(2, 40, 200)
    batches = BucketedBatches(source_lengths=sources, target_lengths=targets, shuffle=True, seed=3, **sentences)
    whole = BucketedBatches(
        source_lengths=sources, target_lengths=targets, shuffle=True, seed=3, **{**sentences, "world_size": 1}
    )

    def area(indices: np.ndarray) -> int:
        return len(indices) * int(sources[indices].max() + targets[indices].max())

    found = batches.largest()
    assert found.global_rows == len(found.indices)
    assert found.global_tokens == targets[found.indices].sum()
    if "world_size" not in sentences:
        assert area(found.indices) == max(area(rows.indices) for rows in whole)
    assert len(list(batches)) == len(batches)


@pytest.mark.parametrize("words", [[], ["trainer=bf16", "teacher_forcing=half"], ["data.num_workers=1"]])
def test_trying_it_leaves_no_trace(words: list[str], tmp_path: Path) -> None:
    words = [*words, "encoder.dropout=0.3"]
    tried = run(tmp_path / "a", *words, "trainer.try_largest_batch=true")
    untried = run(tmp_path / "b", *words, "trainer.try_largest_batch=false")
    assert equal(tried, untried)
    assert tried.read()["tokens"] == untried.read()["tokens"]


def test_it_is_tried_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first forward pass has the largest area of all and its own gradients reach no parameter."""
    areas, steps = [], []
    whole = CrossEntropy.forward

    def forward(self: CrossEntropy, network, batch, **options):
        if self.training:
            areas.append(batch.targets.shape[0] * (batch.targets.shape[1] + batch.sources[0][0].shape[1]))
            steps.append([parameter.grad is None for parameter in network.parameters()])
        return whole(self, network, batch, **options)

    monkeypatch.setattr(CrossEntropy, "forward", forward)
    run(tmp_path, "trainer.max_steps=4")  # one epoch
    assert len(areas) == 5
    assert areas[0] == max(areas[1:])
    assert all(steps[0]) and all(steps[1])


@pytest.mark.parametrize("fault", FAULTS)
def test_no_memory_for_the_largest_batch_is_told_before_the_first_step(
    fault: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: CrossEntropy, network, batch, **options):
        raise fault

    monkeypatch.setattr(CrossEntropy, "forward", forward)
    made = frozen(tmp_path)
    with pytest.raises(
        RunError, match=r"the largest training batch, tried before .*\(\d+ rows x \d+ source x"
    ) as caught:
        train(made)
    assert "\n" not in str(caught.value)
    for setting in ("max_tokens", "max_sentences", "max_source_length", "trainer.accumulate", "precision=bf16-mixed"):
        assert setting in str(caught.value)
    assert made.read()["steps"] == 0


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", ["training_step", "validation_step", "optimizer"])
def test_running_out_of_memory_later_names_the_batch_and_keeps_the_last_state(
    place: str, fault: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = (torch.optim.Adam, "step") if place == "optimizer" else (Seq2SeqModule, place)
    whole, calls = getattr(owner, name), iter(range(100))

    def failing(*arguments, **options):
        done = whole(*arguments, **options)
        if next(calls) == 2:
            raise fault
        return done

    monkeypatch.setattr(owner, name, failing)
    what = rf"{'validation' if place == 'validation_step' else 'training'} batch \d"
    made = frozen(tmp_path, "trainer.validate_every=2")
    with pytest.raises(RunError, match=rf"out of memory on {what} after optimizer step \d .*\d+ rows x"):
        train(made)
    last = torch.load(made.checkpoints / "last.ckpt", weights_only=True)
    assert last["global_step"] == 2
    assert all(torch.isfinite(value).all() for value in weights(made).values())


def test_other_faults_are_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(RunError("the memory of a GPU: out of memory"))
    assert all(is_out_of_memory(fault) for fault in FAULTS)

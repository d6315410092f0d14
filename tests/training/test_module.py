"""The training logic: the gradient is the mean over the tokens of the global batch, however rows are shared."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.network import build_network
from s2s_lab.data.batch import Batch
from s2s_lab.data.bucketing import Rows
from s2s_lab.data.collate import Collator, collate
from s2s_lab.faults import RunError
from s2s_lab.training.learning_rates.constant import Constant
from s2s_lab.training.learning_rates.plateau import Plateau
from s2s_lab.training.module import Seq2SeqModule
from s2s_lab.training.objectives.cross_entropy import CrossEntropy
from s2s_lab.training.teacher_forcing import Constant as TeacherForcingConstant

SIZE = 11


def network(model: str) -> torch.nn.Module:
    words = [f"model={model}", "encoder.hidden_size=6", "decoder.hidden_size=6", "embedding.embedding_size=5"]
    settings = plain(compose_jobs("train", words, multirun=False, folder=None)[0])
    return build_network(settings, source_size=SIZE, target_size=SIZE, shared=False).double()


def module(built: torch.nn.Module, *, world_size: int = 1, smoothing: float = 0.0) -> Seq2SeqModule:
    sample = SimpleNamespace(higher_is_better=lambda monitor: False)
    made = Seq2SeqModule(
        network=built,
        objective=CrossEntropy(label_smoothing=smoothing),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        schedule=Constant(),
        teacher_forcing=TeacherForcingConstant(),
        sample=sample,
        monitor="loss",
        total_steps=10,
        gradient_clip=None,
        log_every=1000,
    )
    made._trainer = SimpleNamespace(world_size=world_size, global_step=0, model=made)
    return made


@pytest.fixture(autouse=True)
def _at_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Seq2SeqModule, "global_step", property(lambda self: 0))


def sentences() -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(3)
    lengths = [(3, 2), (5, 6), (2, 4), (4, 1), (1, 3)]
    return [
        (np.append(generator.integers(4, SIZE, s), 3), np.append(generator.integers(4, SIZE, t), 3)) for s, t in lengths
    ]


def batch(rows: list[int], everything: list[int]) -> Batch:
    pairs = sentences()
    whole = sum(len(pairs[row][1]) for row in everything)
    made = collate([pairs[row][0] for row in rows], [pairs[row][1] for row in rows], rows)
    return Batch(made.sources, made.targets, made.target_lengths, made.index, len(everything), whole)


def gradient(built: torch.nn.Module, loss: torch.Tensor) -> torch.Tensor:
    built.zero_grad()
    loss.backward()
    return torch.cat(
        [p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()).double() for p in built.parameters()]
    )


@pytest.mark.parametrize("model", ["gru", "lstm_attention", "bahdanau"])
@pytest.mark.parametrize("shares", [[[0, 2, 4], [1, 3]], [[0, 1, 2, 3, 4], []], [[0, 3], [1, 4], [2]]])
def test_ranks_together_give_the_gradient_of_one_process(model: str, shares: list[list[int]]) -> None:
    """DDP averages gradients over ranks; so each rank's loss is scaled by their number."""
    built = network(model)
    everything = list(range(5))
    alone = gradient(built, module(built).training_step(batch(everything, everything), 0))
    nothing = Rows(
        np.zeros(0, np.int64), 5, (whole := batch(everything, everything)).global_tokens, 0, whole.step_tokens
    )
    parts = [
        gradient(
            built,
            module(built, world_size=len(shares)).training_step(
                batch(rows, everything) if rows else Collator(SimpleNamespace(num_sources=1, num_factors=0))[nothing], 0
            ),
        )
        for rows in shares
    ]
    assert torch.allclose(torch.stack(parts).sum(0) / len(shares), alone, atol=1e-12)


def test_the_loss_is_the_mean_over_real_tokens() -> None:
    built = network("gru_attention")
    pairs = sentences()
    total = count = 0.0
    for source, target in pairs:
        made = collate([source], [target], [0])
        features, _ = built(made.sources, made.inputs)
        total += torch.nn.functional.cross_entropy(built.output.scores(features[0]), made.targets[0], reduction="sum")
        count += len(target)
    found = module(built).training_step(batch(list(range(5)), list(range(5))), 0)
    assert torch.allclose(found, total / count)


def test_a_loss_that_is_no_number_is_not_left_out_of_the_validation() -> None:
    built = network("gru")
    made = module(built).eval()
    made.sample = SimpleNamespace(score=lambda: ({}, []))
    made.validation_step(batch([0, 1], [0, 1]), 0)
    alone = float(made.validation_values()["validation/loss"])
    assert alone > 0
    made.validation_step(batch([0, 1], [0, 1]), 0)
    with torch.no_grad():
        next(iter(built.parameters())).fill_(torch.nan)
    made.validation_step(batch([2], [2]), 1)
    assert torch.isnan(made.validation_values()["validation/loss"])


def test_label_smoothing_is_left_out_of_validation() -> None:
    built = network("gru")
    objective = CrossEntropy(label_smoothing=0.3)
    one = batch([0, 1], [0, 1])
    smoothed = objective.train()(built, one)
    plain_loss = objective.eval()(built, one)
    assert torch.allclose(plain_loss.total, plain_loss.negative_log_likelihood)
    assert smoothed.total > plain_loss.total
    assert torch.allclose(smoothed.negative_log_likelihood, plain_loss.negative_log_likelihood)


def test_a_gradient_that_is_not_finite_stops_the_run() -> None:
    built = network("gru")
    made = module(built)
    next(iter(built.parameters())).grad = torch.full_like(next(iter(built.parameters())), torch.nan)
    with pytest.raises(RunError, match="not finite at optimizer step 1"):
        made.configure_gradient_clipping(torch.optim.SGD(built.parameters(), lr=1.0))


def test_clipping_scales_the_whole_gradient_and_keeps_its_norm() -> None:
    built = network("gru")
    made = module(built)
    made.gradient_clip = 0.01
    logged = {}
    made.log = lambda name, value, **_: logged.__setitem__(name, value)
    loss = made.training_step(batch([0, 1], [0, 1]), 0)
    before = gradient(built, loss)
    made.log_every = 1
    made.configure_gradient_clipping(torch.optim.SGD(built.parameters(), lr=1.0))
    after = torch.cat([p.grad.flatten() for p in built.parameters() if p.grad is not None])
    assert logged["train/gradient_norm"] == pytest.approx(float(before.norm()), rel=1e-9)
    assert float(after.norm()) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("before", [True, False])
def test_the_plateaus_state_is_taken_back_whenever_the_optimizer_was_made(before: bool) -> None:
    """Most strategies restore before they make the optimizer, FSDP after it."""

    def made() -> Seq2SeqModule:
        new = module(network("gru"))
        new.schedule, new.higher_is_better = Plateau(patience=1), True
        vocabulary = SimpleNamespace(tokens=["a"])
        new.sample.source = new.sample.target = SimpleNamespace(vocabulary=vocabulary)
        return new

    trained, restored, checkpoint = made(), made(), {}
    trained.configure_optimizers()
    for value in (5.0, 4.0):
        trained.validation_schedulers[0].step(value)
    trained.on_save_checkpoint(checkpoint)
    steps = [lambda: restored.on_load_checkpoint(checkpoint), restored.configure_optimizers]
    for step in steps if before else reversed(steps):
        step()
    (scheduler,) = restored.validation_schedulers
    assert (scheduler.best, scheduler.num_bad_epochs) == (5.0, 1)

"""Tokens of a training, clocks on its parts, and the bounds of its speed."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from experiments.speed.child import frozen, settings_of
from experiments.speed.clocks import PARTS, Clocks, Stopwatch, attached
from experiments.speed.corpus import CorpusFiles
from experiments.speed.decoding import STRATEGIES, measure_decoding, precisions
from experiments.speed.floors import FusedRecurrent, batch_flops, meta_network, peak_flops_of_arithmetic
from experiments.speed.jobs.floor import batches, counted
from experiments.speed.product import Bench
from experiments.speed.shares import measure_shares
from experiments.speed.training import allocators, measure_training
from experiments.speed.workloads import Workload, read_plan
from s2s_lab.assemble.experiment import train
from s2s_lab.assemble.preparation import prepare_data
from tests.experiments.conftest import TINY, tiny_words


def expected_tokens(corpus: CorpusFiles) -> int:
    """The peers' rule: source words, target words, and one end symbol for each sentence."""
    sources, targets = (corpus.files["train"][side].read_text().splitlines() for side in ("source", "target"))
    return sum(len(line.split()) for line in [*sources, *targets]) + len(targets)


def test_the_product_counts_tokens_as_the_peers_do(bench: Bench) -> None:
    folder = frozen(tiny_words(bench, "M1"))  # 4 steps of 15 sentences: one epoch
    train(folder)
    assert folder.read()["tokens"] == expected_tokens(bench.corpus)
    settings = folder.configuration()
    epoch = [counted(batch) for _, batch in zip(range(4), batches(prepare_data(settings)[0], settings), strict=False)]
    assert sum(epoch) == expected_tokens(bench.corpus)


@pytest.mark.parametrize("workload", ["M1", "M2", "sutskever", "bahdanau"])
def test_the_clocks_fit_every_kind_of_network(bench: Bench, workload: str) -> None:
    """Every part is entered (an error else), the shares are a whole, and the tokens are the product's."""
    stopwatch = Stopwatch(warm_up=1, seconds=0.0)
    with attached(stopwatch), pytest.raises(KeyboardInterrupt):
        train(frozen(tiny_words(bench, workload, "trainer.max_steps=50", "trainer.validate_every=50")))
    found = stopwatch.shares()
    assert set(found["shares"]) == set(PARTS)
    assert sum(found["shares"].values()) == pytest.approx(1.0)
    assert found["steps"] == 1 and 0 < stopwatch.tokens < expected_tokens(bench.corpus) / 2


@pytest.mark.slow
def test_every_measurement_runs_on_a_tiny_network(bench: Bench) -> None:
    """Through the product's commands, in processes of their own; nothing of a measured training stays."""
    tiny = Workload("tiny", "a tiny network", (*bench.plan.workloads["M2"].words, *TINY))
    settings = bench.plan.chosen_settings(["bfloat16"])
    (row,) = measure_training(
        bench, [tiny], settings, allocators=allocators()[:1], rounds=1, warm_up=0.2, seconds=0.2
    )  # fmt: skip
    assert row["tokens_per_s"] > 0 and row["windows"] >= 3 and row["peak_memory_mb"] > 100
    assert not list((bench.scratch / "measured").iterdir())
    rows = measure_decoding(
        bench, [tiny], precisions=precisions(), train_steps=4, batch_sentences=4, repeats=2, fresh=False
    )  # fmt: skip
    assert len(rows) == len(STRATEGIES) * (len(precisions()) + 1)
    assert sum(row["precision"].endswith(", shortlist") for row in rows) == len(STRATEGIES)
    assert all(bool(row["shortlist"]) == row["precision"].endswith(", shortlist") for row in rows)
    assert all(row["tokens_per_s"] > 0 and len(row["rounds"]) == 2 and row["mean_length"] <= 40 for row in rows)
    (row,) = measure_shares(bench, [tiny], settings, seconds=0.2)
    assert 0 < row["of_products"] < 1 and 0 < row["of_fused"]


def test_time_counts_for_the_innermost_part_alone() -> None:
    times = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0])
    clocks = Clocks(lambda: next(times))
    clocks.enter("outer")  # 1 s of the trainer before
    with clocks.part("inner"):  # 2 s of outer, then 3 s of inner
        pass
    clocks.leave()  # 4 s of outer
    assert clocks.read() == {"trainer": 1.0 + 5.0, "outer": 2.0 + 4.0, "inner": 3.0}


def test_the_operations_of_a_step_are_those_of_a_plain_transcription(bench: Bench) -> None:
    """M1 written with torch's own modules, its products counted by torch, on sentences of equal lengths."""
    settings = settings_of(tiny_words(bench, "M1", "encoder.hidden_size=12", "attention.attention_size=10"))
    rows, source, target, vocabulary, width = 3, 5, 4, 11, 6
    memory_size, hidden, attention_size = 12, 8, 10
    encoder = nn.GRU(width, memory_size // 2, batch_first=True, bidirectional=True)
    bridge = nn.Linear(memory_size, hidden)
    keys_of, query_of = nn.Linear(memory_size, attention_size), nn.Linear(hidden, attention_size)
    cell, energy = nn.GRUCell(width + hidden, hidden), nn.Linear(attention_size, 1)
    combine, output = nn.Linear(memory_size + hidden, hidden), nn.Linear(hidden, vocabulary)
    embedded, inputs = (torch.randn(rows, length, width, requires_grad=True) for length in (source, target))
    with FlopCounterMode(display=False) as counter:
        memory, _ = encoder(embedded)
        state, feedback, features = bridge(memory[:, -1]), torch.zeros(rows, hidden, requires_grad=True), []
        keys = keys_of(memory)
        for position in range(target):
            state = cell(torch.cat((inputs[:, position], feedback), dim=1), state)
            weights = energy(torch.tanh(keys + query_of(state).unsqueeze(1))).softmax(dim=1)
            context = torch.bmm(weights.transpose(1, 2), memory).squeeze(1)
            feedback = torch.tanh(combine(torch.cat((context, state), dim=1)))
            features.append(feedback)
        output(torch.stack(features, dim=1)).sum().backward()
    network = meta_network(settings, source_size=9, target_size=vocabulary)
    batch = next(batches(prepare_data(settings)[0], settings))
    ((ids, _),) = batch.sources
    equal = type(batch)(
        sources=((ids[:rows, :source], torch.full((rows,), source)),), targets=batch.targets[:rows, :target],
        target_lengths=torch.full((rows,), target), index=batch.index[:rows], global_rows=rows, global_tokens=12,
    )  # fmt: skip
    of_first_states = 2 * 2 * rows * 3 * (memory_size // 2) ** 2  # the encoder starts from constants: no gradient there
    assert batch_flops(network, equal, vocabulary) == counter.get_total_flops() + of_first_states


@pytest.mark.parametrize("workload", read_plan().workloads)
def test_every_workload_has_a_bound_without_attention(bench: Bench, workload: str) -> None:
    settings = settings_of(tiny_words(bench, workload))
    data = prepare_data(settings)[0]
    sizes = {"source_size": len(data.source_vocabulary), "target_size": len(data.target_vocabulary)}
    network = meta_network(settings, **sizes)
    fused = FusedRecurrent(settings, **sizes, feature_size=network.decoder.feature_size)
    fused(next(batches(data, settings))).backward()
    assert all(parameter.grad is not None for parameter in fused.parameters())


def test_peaks_are_of_every_arithmetic_and_leave_the_settings_of_torch_alone() -> None:
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    found = peak_flops_of_arithmetic(1, squares=(64,))
    assert list(found) == list(read_plan().settings) and min(found.values()) > 0
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before

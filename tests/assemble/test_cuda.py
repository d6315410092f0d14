"""Training and decoding on a CUDA device agree with the CPU."""

from pathlib import Path

import pytest
import torch

from s2s_lab.assemble.inference import build_strategy, load_model
from s2s_lab.inference.decode import decode
from s2s_lab.inference.frozen import length_sorted_batches
from tests.assemble.ranks import frozen, train_in_ranks
from tests.assemble.test_experiment import curve, run

GREEDY = {"_target_": "s2s_lab.decoding.greedy.GreedySearch"}
BEAM = {"_target_": "s2s_lab.decoding.beam.BeamSearch", "size": 4}


@pytest.mark.gpu
@pytest.mark.parametrize("model", ["gru", "lstm_attention", "bahdanau"])
def test_a_gpu_gives_the_losses_and_outputs_of_the_cpu(tmp_path: Path, model: str) -> None:
    on_cpu = run(tmp_path / "cpu", f"model={model}", "trainer.matmul_precision=highest", "trainer.accelerator=cpu")
    on_gpu = run(tmp_path / "gpu", f"model={model}", "trainer.matmul_precision=highest", "trainer=gpu")
    assert curve(on_gpu, "train/loss") == pytest.approx(curve(on_cpu, "train/loss"), rel=1e-3)
    lines = ["a b c", "b", "c a b d e f"]
    for node in (GREEDY, BEAM):
        found = []
        for name in ("cpu", "cuda"):
            device = torch.device(name)
            frozen = load_model(on_cpu.path, device=device, precision="float64")
            batches = length_sorted_batches([frozen.source.ids(line) for line in lines], sentences=2)
            decoded = decode(frozen.network, build_strategy(node), batches, device=device)
            found.append([best.ids for best in decoded.best])
        assert found[0] == found[1]


@pytest.mark.gpu
@pytest.mark.parametrize("option", ["ddp", "fsdp"])
def test_gpus_give_the_losses_of_one_process_on_the_cpu(tmp_path: Path, option: str) -> None:
    """On as many GPUs as there are, up to two; FSDP shares nothing on one, but is wrapped around the network."""
    count = min(2, torch.cuda.device_count())
    words = ["trainer.matmul_precision=highest", "optimizer.lr=0.01"]
    on_cpu = run(tmp_path / "cpu", *words, "trainer.accelerator=cpu")
    shared = frozen(tmp_path / "gpu", *words, f"trainer={option}", f"trainer.devices={count}")
    train_in_ranks(shared, count, alone=False)
    for column in ("train/loss", "train/gradient_norm", "validation/loss"):
        assert curve(shared, column) == pytest.approx(curve(on_cpu, column), rel=1e-3), column
    assert (shared.model / "model.safetensors").is_file()

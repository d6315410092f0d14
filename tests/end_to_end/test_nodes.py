"""Two machines, played by two torchruns on the loopback, train one frozen run."""

import json
import os
import shlex
import subprocess
import sys

import pytest

from s2s_lab.sweeps.ranks import free_port
from tests.end_to_end.conftest import REPOSITORY, SMALL, Commands


@pytest.mark.slow
def test_two_machines_started_by_torchrun_train_a_frozen_run(commands: Commands) -> None:
    done = commands(
        "train", *SMALL, "data.size=300", "logger=csv", "callbacks=quiet", "trainer=ddp_cpu", "trainer.devices=1",
        "trainer.num_nodes=2", "trainer.max_steps=6", "trainer.validate_every=3", "launch=false",
    )  # fmt: skip
    first, command = done.stdout.strip().splitlines()
    run = commands.folder / first.removeprefix("run ")
    assert sorted(path.name for path in run.iterdir()) == ["config.yaml", "run.json"]
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": "lo", "TP_SOCKET_IFNAME": "lo"}
    nodes = [
        subprocess.Popen(
            [
                sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1",
                "--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "--local-addr", "127.0.0.1",
                *shlex.split(command)[1:],
            ],
            cwd=commands.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    outputs = [node.communicate(timeout=200)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], outputs
    facts = json.loads((run / "run.json").read_text())
    assert (facts["status"], facts["steps"]) == ("finished", 6)
    assert (run / "log-rank1.txt").is_file()
    assert (run / "model" / "model.safetensors").is_file()

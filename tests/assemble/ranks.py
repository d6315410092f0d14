"""Trains in several processes forked from one that has imported everything: the ranks of a job, cheaply."""

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from s2s_lab.assemble.configuration import compose_jobs
from s2s_lab.assemble.experiment import train
from s2s_lab.assemble.job import freeze
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.ranks import free_port, rank_variables
from tests.assemble.test_experiment import TINY

SECONDS = 120


def frozen(folder: Path, *words: str) -> RunFolder:
    """A run folder ready to train."""
    composed = compose_jobs(
        "train", [*TINY, "logger=csv", *words, f"paths.outputs={folder}"], multirun=False, folder=None
    )[0]
    return freeze(composed, composed.hydra).create_folder()


def train_in_ranks(made: RunFolder, count: int, *, alone: bool = True) -> RunFolder:
    """Trains a frozen run in `count` processes, or here for one (if `alone`); all must end well."""
    if count == 1 and alone:
        train(made)
    else:
        in_ranks(train, count, made)
    return made


def in_ranks(work: Callable[..., Any], count: int, *arguments: Any) -> None:
    """Runs `work(*arguments)` as every rank of `count`; fails if one of them fails or does not end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["s2s_lab.assemble.experiment"])
    port = free_port()
    processes = [
        context.Process(target=_as_rank, args=(rank, count, port, work, arguments), daemon=True)
        for rank in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(SECONDS)
    codes = [process.exitcode for process in processes]
    for process in processes:
        if process.is_alive():
            process.kill()
    assert codes == [0] * count


def _as_rank(rank: int, count: int, port: int, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    from lightning.pytorch.utilities import rank_zero_only

    os.environ.update(rank_variables(rank, count, port), GLOO_SOCKET_IFNAME="lo")
    rank_zero_only.rank = rank
    torch.set_num_threads(1)
    try:
        work(*arguments)
    except BaseException:
        traceback.print_exc()
        sys.exit(1)

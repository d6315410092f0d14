"""A loader process that dies ends the run at once, in one line, with its state saved."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch
from torch.utils.data import get_worker_info

from s2s_lab.assemble.experiment import train
from s2s_lab.data.collate import Collator
from s2s_lab.faults import RunError
from tests.assemble.test_experiment import frozen


def test_a_killed_loader_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Collator.__getitem__
    asked = iter(range(100))

    def dying(self: Collator, rows):
        if get_worker_info() is not None and len(self.split) > 100 and next(asked) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(self, rows)

    monkeypatch.setattr(Collator, "__getitem__", dying)
    made = frozen(tmp_path, "data.size=800", "data.corpus.validation_size=20", "data.num_workers=2",
                  "trainer.max_steps=40", "trainer.validate_every=100")  # fmt: skip
    began = time.monotonic()
    with pytest.raises(RunError, match=r"a loader process died: .*data\.num_workers=0") as caught:
        train(made)
    assert time.monotonic() - began < 30
    assert "\n" not in str(caught.value)
    last = torch.load(made.checkpoints / "last.ckpt", weights_only=True)
    assert last["global_step"] == made.read()["steps"] > 0

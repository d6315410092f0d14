"""A job that was defined otherwise when it ran before: said, asked for, and refused unless somebody says yes."""

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from s2s_lab.faults import RequestError
from tests.sweeps import stubs
from tests.sweeps.test_engine import HERE, ledger, sweep


def test_a_changed_definition_is_said_and_asked_for(tmp_path: Path) -> None:
    sweep([stubs.stub_job(tmp_path, 0, steps=3)])
    with pytest.raises(
        RequestError, match=r"seed=0: stub.steps was 3, now it is 4; hydra.launcher.accept_changed=true"
    ):
        sweep([stubs.stub_job(tmp_path, 0, steps=4)])
    assert len(ledger(tmp_path).entries) == 1
    sweep([stubs.stub_job(tmp_path, 0, steps=4)], accept_changed=True)
    assert [entry.status for entry in ledger(tmp_path).entries.values()] == ["finished", "finished"]


@pytest.mark.parametrize(("answer", "runs"), [("y", True), ("yes", True), ("n", False), ("", False)])
def test_on_a_terminal_the_question_is_put_and_the_answer_is_done(answer: str, runs: bool, tmp_path: Path) -> None:
    sweep([stubs.stub_job(tmp_path, 0, steps=3, pause=0.0)])
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, str(HERE / "sweep_of_stubs.py"), str(tmp_path), "1", "4", "0"],
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    said = b""
    with contextlib.suppress(OSError):  # that end is closed
        while part := os.read(ours, 4096):
            said += part
    assert (program.wait(60) == 0) is runs
    assert b"seed=0: stub.steps was 3, now it is 4" in said and b"[y/N]" in said
    assert (b"what was changed runs anew" in said) is runs
    assert len(ledger(tmp_path).entries) == (2 if runs else 1)

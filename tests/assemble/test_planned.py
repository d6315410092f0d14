"""Evaluations that a run folder asks for: each for itself."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from s2s_lab.assemble import planned
from s2s_lab.faults import RequestError, RunError


class Folder:
    """A run folder that asks for evaluations, and keeps what was done."""

    evaluations = Path("evaluations")

    def __init__(self, *names: str) -> None:
        how = {"num_threads": 1, "matmul_precision": "medium", "accelerator": "cpu"}
        self.asked = {name: {"name": name, **how} for name in names}
        self.done: list[str] = []

    def open_evaluations(self) -> dict[str, dict[str, Any]]:
        return {name: settings for name, settings in self.asked.items() if name not in self.done}

    def configuration(self) -> dict[str, Any]:
        return {"trainer": {}}

    def update(self, facts: dict[str, Any]) -> None:
        self.done += facts["evaluations"]


@pytest.mark.parametrize(
    ("faults", "raised"),
    [
        ({}, None),
        ({"wide": RunError("out of memory")}, RunError),
        ({"greedy": RequestError("no such strategy"), "last": MemoryError()}, MemoryError),
        ({"greedy": RequestError("no such strategy"), "wide": RequestError("nor this")}, RequestError),
    ],
)
def test_a_fault_costs_its_evaluation_alone(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    faults: dict[str, Exception],
    raised: type[Exception] | None,
) -> None:
    def evaluate(folder: Folder, settings: dict[str, Any], *_: object) -> Any:
        if settings["name"] in faults:
            raise faults[settings["name"]]
        return SimpleNamespace(folder=folder.evaluations / settings["name"])

    monkeypatch.setattr(planned, "evaluate", evaluate)
    monkeypatch.setattr(planned, "Workbench", lambda *_, **__: None)
    names = ("greedy", "wide", "beam", "last")
    folder = Folder(*names)
    if raised is None:
        planned.evaluate_planned(folder)  # type: ignore[arg-type]
    else:
        with pytest.raises(raised, match="no such strategy" if raised is RequestError else None):
            planned.evaluate_planned(folder)  # type: ignore[arg-type]
    assert folder.done == [name for name in names if name not in faults]
    told = capsys.readouterr().err.splitlines()
    expected = [faults[name] for name in names if name in faults]
    assert told == [f"an evaluation failed: {type(fault).__name__}: {fault}" for fault in expected]
    faults.clear()
    planned.evaluate_planned(folder)  # type: ignore[arg-type]
    assert sorted(folder.done) == sorted(names)

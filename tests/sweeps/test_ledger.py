"""The ledger: what was written is read again, whatever cut its last line short."""

from pathlib import Path

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.ledger import Ledger


def written(folder: Path) -> Ledger:
    with Ledger(folder).held() as ledger:
        for name in ("a", "b"):
            (folder / f"run-{name}").mkdir(parents=True)
            ledger.started(job=name, label=f"model={name}", folder=folder / f"run-{name}", resume=False)
        ledger.ended(job="a", status="finished", value=0.5)
        ledger.ended(job="b", status="failed", reason="why")
        ledger.started(job="b", label="model=b", folder=folder / "run-b", resume=True)
    return ledger


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    own = written(tmp_path)
    other = Ledger(tmp_path)
    assert other.read() == own.entries
    assert (other.entries["a"].status, other.entries["a"].value, other.entries["a"].finishes) == ("finished", 0.5, 1)
    assert (other.entries["b"].status, other.entries["b"].starts) == ("running", 2)
    assert other.folder_of("a") == tmp_path / "run-a"
    assert other.folder_of("unknown") is None


def test_any_cut_of_the_file_keeps_all_whole_lines(tmp_path: Path) -> None:
    written(tmp_path)
    whole = (tmp_path / "ledger.jsonl").read_bytes()
    for length in range(len(whole)):
        folder = tmp_path / "cut"
        folder.mkdir(exist_ok=True)
        (folder / "ledger.jsonl").write_bytes(whole[:length])
        lines = whole[:length].count(b"\n")
        with Ledger(folder).held() as ledger:
            assert sum(entry.starts for entry in ledger.entries.values()) == min(lines, 2) + (lines == 5)
            ledger.started(job="new", label="x", folder=folder, resume=False)
        text = (folder / "ledger.jsonl").read_bytes()
        assert text.startswith(whole[: whole[:length].rfind(b"\n") + 1]) and text.count(b"\n") == lines + 1
        assert "new" in Ledger(folder).read()


@pytest.mark.parametrize("line", ["no JSON", '["a"]', '{"event": "ended", "job": 5}', '{"event":"ended","value":"x"}'])
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "ledger.jsonl").write_text('{"event":"later","job":"x"}\n' + line + "\n")
    with pytest.raises(RequestError, match=r"ledger.jsonl, line 2"):
        Ledger(tmp_path).read()


def test_events_of_later_versions_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text('{"event":"unheard of","job":"x"}\n{"event":"started"}\n')
    assert Ledger(tmp_path).read() == {}


def test_a_folder_name_that_leads_out_stays_within(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text('{"event":"started","job":"x","label":"l","folder":"../../etc"}\n')
    ledger = Ledger(tmp_path)
    ledger.read()
    assert ledger.folder_of("x") is None

"""A peer beside the product: what is run, read and divided."""

import sys
from pathlib import Path

import pytest

from experiments.speed.peer import ALLOCATORS, Peer, Rounds, decode_in_turn, train_in_turn
from experiments.speed.product import Bench
from s2s_lab.faults import RunError


@pytest.fixture
def peer(tmp_path: Path) -> Peer:
    """Stands for a peer: drivers that print JSON among noise and tell what they were given."""
    told = "json.dumps(dict({facts}, given=sys.argv[1:], env=[os.environ.get(n) for n in NAMES]))"
    for name, facts in (
        ("opennmt_train.py", "tokens_per_s=4000, peak_mb=1800"),
        ("opennmt_decode.py", "tokens_per_s=5000 + 10 * n, sentences_per_s=500, mean_length=10.0"),
    ):
        (tmp_path / name).write_text(
            "import json, os, sys\nNAMES = ('PEERS', 'OMP_NUM_THREADS', 'GLIBC_TUNABLES')\nprint('loading {')\n"
            f"for n in range(3):\n    print({told.format(facts=facts)})\nprint('done')\n"
        )
    return Peer(python=Path(sys.executable), drivers=tmp_path, home=tmp_path, threads=2)


def test_the_peers_lines_are_read(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=0")  # never reaches the peer
    record = peer.train("M1", 60.0, "default")
    assert (record["tokens_per_s"], record["peak_memory_mb"]) == (4000, 1800)
    assert record["given"] == ["M1", "60.0"] and record["env"] == [str(peer.home), "2", None]
    passes = peer.decode("M2", 5, 3, 100, "ours")
    assert [tuned["tokens_per_s"] for tuned in passes] == [5000, 5010, 5020]
    assert passes[0]["given"] == ["M2", "5", "3", "100"]
    assert passes[0]["env"][2] == ALLOCATORS["ours"]["GLIBC_TUNABLES"]


def test_a_peer_that_fails_is_told_in_one_line(peer: Peer) -> None:
    (peer.drivers / "opennmt_train.py").write_text("raise SystemExit('no checkpoint')")
    with pytest.raises(RunError, match="no checkpoint"):
        peer.train("M1", 1.0, "default")


def test_ours_and_the_peer_take_turns(bench: Bench, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    theirs = Peer.train

    def ours(words: list[str], **_: float) -> dict[str, float]:
        turns.append("ours")
        return {"tokens_per_s": 8000.0, "peak_memory_mb": 1000.0}

    def timed(self: Peer, model: str, seconds: float, allocator: str) -> dict[str, float]:
        turns.append(f"peer {allocator}")
        return theirs(self, model, seconds, allocator)

    monkeypatch.setattr("experiments.speed.peer.train_once", ours)
    monkeypatch.setattr(Peer, "train", timed)
    settings = bench.plan.chosen_settings(["bfloat16"])
    workloads = bench.plan.chosen_workloads(["M1"])
    rows = train_in_turn(bench, peer, workloads, settings, rounds=2, warm_up=1.0, seconds=1.0)
    assert turns == ["ours", "peer default", "peer ours"] * 2
    assert rows[0]["ratios"] == {"default": {"tokens_per_s": 2.0}, "ours": {"tokens_per_s": 2.0}}


def test_both_sides_decode_as_often_in_one_process_and_the_fastest_precision_gets_a_shortlist(
    bench: Bench, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[tuple[str, ...], bool]] = []
    speeds = iter([{"int8": 3000.0, "bfloat16": 2000.0}, {"int8": 1000.0, "bfloat16": 2000.0}] * 2)

    def ours(_: Bench, __: object, ___: str, precisions: list[str], **given: int) -> dict[str, list[dict[str, float]]]:
        asked.append((tuple(precisions), bool(given.get("shortlist"))))
        if given.get("shortlist"):
            return {f"{name}, shortlist": [{"tokens_per_s": 9000.0}] * given["repeats"] for name in precisions}
        return {name: [{"tokens_per_s": rate}] * given["repeats"] for name, rate in next(speeds).items()}

    monkeypatch.setattr("experiments.speed.peer.decode_once", ours)
    monkeypatch.setattr("experiments.speed.peer.trained", lambda *_: None)
    rows = decode_in_turn(
        bench, peer, bench.plan.chosen_workloads(["M1"]), precisions=["int8", "bfloat16"], rounds=2, repeats=3,
        train_steps=1, batch_sentences=4, peer_batch=4,
    )  # fmt: skip
    assert set(asked) == {(("int8", "bfloat16"), False), (("int8",), True), (("bfloat16",), True)}
    of_greedy = {row["setting"]: row for row in rows if row["kind"] == "greedy" and row["who"] == "ours"}
    assert of_greedy.keys() == {"int8", "bfloat16", "int8, shortlist"}  # the fastest of its first round
    assert {len(row["rounds"]) for row in rows} == {2 * 3}
    assert of_greedy["int8, shortlist"]["ratios"]["default"]["tokens_per_s"] == 9000.0 / 5010.0


def test_ratios_are_of_medians_and_of_the_same_model_and_kind() -> None:
    rounds = Rounds()
    for ours, theirs, tuned in ((300, 100, 150), (100, 50, 100), (600, 60, 120)):
        rounds.add("M1", "train", "ours", "bfloat16", "default", {"tokens_per_s": ours})
        rounds.add("M1", "train", "peer", "float32", "default", {"tokens_per_s": theirs})
        rounds.add("M1", "train", "peer", "float32", "ours", {"tokens_per_s": tuned})
        rounds.add("M2", "train", "peer", "float32", "default", {"tokens_per_s": 1})
    (row,) = [row for row in rounds.rows() if row["who"] == "ours"]
    assert row["ratios"] == {"default": {"tokens_per_s": 5.0}, "ours": {"tokens_per_s": 2.5}}
    assert len(row["rounds"]) == 3

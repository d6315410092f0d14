"""Results as files and as tables."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.speed.clocks import PARTS
from experiments.speed.corpus import choose_corpus
from experiments.speed.results import FOLDER, check_label, read_results, without_paths, write_result
from experiments.speed.tables import SECTIONS, UNMEASURED, grid, render, update
from s2s_lab.faults import RequestError
from s2s_lab.records.environment import machine, versions
from tests.experiments.conftest import README


def document(rows: list[dict[str, Any]], **facts: Any) -> dict[str, Any]:
    place = {"machine": machine(["cpu"]), "versions": versions(), "git": {"commit": None, "dirty": None}}
    return {
        "date": "2026-01-01",
        "command": "python -m experiments.speed x",
        **place,
        "corpus": "c",
        **facts,
        "rows": rows,
    }


OURS = {"workload": "M1", "who": "ours", "allocator": "default", "tokens_per_s": 24_500.4, "peak_memory_mb": 1_500}
THEIRS = {"workload": "M1", "who": "peer", "allocator": "default", "tokens_per_s": 4_000.0, "peak_memory_mb": 1_800}
SPEED = {"sentences_per_s": 2_100.0, "mean_length": 11.5}
RATIOS = {"default": {"tokens_per_s": 6.125, "sentences_per_s": 4.25}}
STREAMED = {"pairs": 10_000_000, "pairs_per_s": 1.5e6, "padded_tokens_per_s": 4e7, "fill": 0.96, "first_batch_s": 2.0}
MADE_UP = {
    "train": document(
        [
            {**OURS, "setting": "bfloat16", "tokens_per_s_median": 24_000, "fill": 0.94, "allocator": allocator}
            for allocator in ("retain", "default")
        ]
    ),
    "decode": document(
        [{**OURS, **SPEED, "strategy": "beam 5", "precision": "int8", "bleu": None}], train_steps=1_000
    ),
    "decode_lengths": document(
        [
            {**OURS, "strategy": strategy, "precision": precision, "sentences_per_s": speed}
            for strategy, precision, speed in (
                ("greedy", "int8", 900.0), ("greedy", "bfloat16", 1_234.0), ("beam 5", "int8", 88.0)
            )
        ]
    ),
    "data": document([{"corpus": "made up", **STREAMED, "peak_memory_mb": 900.0, "peak_own_memory_mb": 600.0}]),
    "shares": document(
        [
            {
                **OURS, "setting": "float32", "step_ms": 120.0, "shares": dict.fromkeys(PARTS, 1 / 7),
                "of_fused": 0.875, "fused_tokens_per_s": 28_000, "peak_gflops": 400.0, "mflop_per_token": 24.0,
                "of_products": 0.5, "products_tokens_per_s": 49_000,
            },
            {**OURS, "workload": "unbound", "setting": "float32", "step_ms": 1, "shares": dict.fromkeys(PARTS, 1 / 7)},
        ]
    ),
    "peer_train": document(
        [{**OURS, "kind": "train", "setting": "bfloat16", "ratios": RATIOS}, {**THEIRS, "kind": "train"}]
    ),
    "peer_decode": document(
        [
            {**OURS, **SPEED, "kind": "greedy", "setting": "bfloat16", "ratios": RATIOS, "bleu": 31.25},
            {**THEIRS, **SPEED, "kind": "greedy"},
        ],
        train_steps=1_000,
    ),
    "growth": document(
        [
            {"dimension": "beam", "kind": "decode", "value": value, "seconds": 0.5 * value, "peak_memory_mb": 700}
            for value in (1, 10, 100)
        ],
        plot="picture.png",
    ),
    "quality": document(
        [
            {
                "workload": "M1", "setting": setting, "losses": {"1": 3.0 * factor, "2": 4.0 * factor},
                "differences": {"1": factor - 1, "2": factor - 1}, "loss": 3.5 * factor, "difference": factor - 1,
                "tokens": {"1": 5_000, "2": 5_001},
            }
            for setting, factor in (("float32-torch", 1.0), ("bfloat16", 1.01))
        ],
        steps=1_450,
    ),
    "startup": document(
        [
            {"command": "s2s-train", "cache": "empty", "seconds": 7.25, "goal_s": 10.0},
            {"command": "without", "cache": "filled", "seconds": 3.5, "goal_s": None},
        ]
    ),
}  # fmt: skip
SHOWN = {
    "train": ("24,500", "0.940", "trainer.allocator=retain", "trainer.allocator=default"),
    "decode": ("2,100", "11.5", "| - |", "1,000 steps"),
    "decode_lengths": ("| M1 | greedy | 900 | 1,234 |", "| M1 | beam 5 | 88 | - |", "bfloat16: sentences/s"),
    "data": ("10,000,000", "1,500,000", "900", "600"),
    "shares": ("step loop %", "14.3", "0.88", "unbound"),
    "peer_train": ("**6.12**", "4,000", "default allocator"),
    "peer_decode": ("**6.12**", "4.25", "31.25"),
    "growth": ("50,000.0", "decode 1.00", "(picture.png)"),
    "quality": ("1,450 steps", "float32-torch", "3.0300 (+1.00 %)", "3.5000 (+0.00 %)", "5,000 / 5,001"),
    "startup": ("7.2", "10", "| without | filled | 3.5 | - |"),
}


@pytest.mark.parametrize("name", SECTIONS)
def test_tables_show_what_was_measured_where_and_how(name: str) -> None:
    text = render(name, {"": MADE_UP[name]})
    for part in (*SHOWN[name], "2026-01-01", "`python -m experiments.speed x`", machine()["cpu"]):
        assert part in text, part
    for table in text.split("\n\n"):
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1, "every row has as many cells as the header"


def test_a_grid_is_markdown() -> None:
    assert grid(("a", "b"), [("1", "2")]) == "| a | b |\n|---|---|\n| 1 | 2 |"


def test_tables_go_between_their_markers_and_back(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    update(readme, tmp_path / "none")
    empty = readme.read_text(encoding="utf-8")
    assert empty.count(UNMEASURED) == len(SECTIONS)
    for name, made_up in MADE_UP.items():
        (tmp_path / "results").mkdir(exist_ok=True)
        (tmp_path / "results" / f"{name}.json").write_text(json.dumps(made_up))
    update(readme, tmp_path / "results")
    full = readme.read_text(encoding="utf-8")
    assert UNMEASURED not in full and "24,500" in full
    update(readme, tmp_path / "results")
    assert readme.read_text(encoding="utf-8") == full
    update(readme, tmp_path / "none")
    assert readme.read_text(encoding="utf-8") == empty
    readme.write_text(empty.replace("<!-- /shares -->", ""), encoding="utf-8")
    with pytest.raises(RequestError, match="shares"):
        update(readme, tmp_path / "none")


def test_the_page_shows_the_results_at_hand(tmp_path: Path) -> None:
    """`python -m experiments.speed table` was run after the last measurement."""
    readme = tmp_path / "README.md"
    readme.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    update(readme, FOLDER)
    assert readme.read_text(encoding="utf-8") == README.read_text(encoding="utf-8")


def test_results_say_where_and_how_they_were_found_but_name_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["data", "--data", "/home/me/data", "--results=/home/me/r", "--pairs", "10"]
    monkeypatch.setattr(sys, "argv", ["x", *words])
    written = write_result(tmp_path / "r", "data", {"rows": [1]})
    assert read_results(tmp_path / "r", "data") == {"": written}
    assert written["command"] == "python -m experiments.speed data --data DATA --results=RESULTS --pairs 10"
    assert {"cpu", "cores"} <= set(written["machine"]) and "torch" in written["versions"]
    assert os.sep + "home" not in json.dumps(written)
    assert without_paths(["peer", "--peer-home", "/x", "--peer-python=/y"]) == [
        "peer", "--peer-home", "PEER_HOME", "--peer-python=PEER_PYTHON",
    ]  # fmt: skip


def test_damaged_results_are_named(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text("{")
    with pytest.raises(RequestError, match=r"train\.json"):
        read_results(tmp_path, "train")
    assert read_results(tmp_path, "decode") == {}


def test_results_of_several_machines_stand_beside_each_other(tmp_path: Path) -> None:
    plain = write_result(tmp_path, "decode", MADE_UP["decode"])
    rates = {"float32": 200e3, "bfloat16": 400e3}
    other = write_result(tmp_path, "decode", {**MADE_UP["decode"], "peak_gflops": rates}, label="board-2")
    write_result(tmp_path, "decode_lengths", MADE_UP["decode_lengths"])
    found = read_results(tmp_path, "decode")
    assert list(found.items()) == [("", plain), ("board-2", other)]
    text = render("decode", found)
    assert text.count("| M1 | beam 5 |") == 2 and text.index("**board-2**") > text.index("| M1 | beam 5 |")
    assert text.count("float32 200,000, bfloat16 400,000 GFLOP/s") == 1
    for label in ("", "zen4", "a_B-3"):
        check_label(label)
    for label in ("../x", "a.b", "a b"):
        with pytest.raises(RequestError, match="--label"):
            check_label(label)


def test_multi30k_is_taken_where_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "multi30k" / "lc_norm_tok"
    folder.mkdir(parents=True)
    for stem in ("train", "val", "test_2016_flickr"):
        for language in ("en", "de"):
            (folder / f"{stem}.{language}.gz").touch()
    corpus = choose_corpus(tmp_path, tmp_path / "scratch", 1)
    assert corpus.files["test"]["target"] == folder / "test_2016_flickr.de.gz"
    assert not (tmp_path / "scratch").exists()

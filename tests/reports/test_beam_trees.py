"""A tree on the page is the recorded one, or the part of it that matters most; what is no tree is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.reports import beam_trees as module
from s2s_lab.reports.beam_trees import FATES, beam_trees, bounded_tree, read_trees
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.runs import collect
from tests.reports.synthetic import sentences, write_run
from tests.reports.traced import EOS, trace_search, write_beams

WORDS = ["a", "b", "c", "d", "e"]


def traced(**search: Any) -> dict[str, Any]:
    return {"index": 0, "source": ["x"], **trace_search(WORDS, **{"size": 3, "limit": 7, **search})}


def paths(tree: dict[str, Any]) -> dict[tuple[str, ...], str]:
    """Give the tokens from the root to each node, and the node's fate."""
    found = {}
    for place, fate in enumerate(tree["fate"]):
        tokens, at = [], place
        while at is not None:
            tokens.append(tree["token"][at])
            at = tree["parent"][at]
        found[tuple(reversed(tokens))] = FATES[fate]
    return found


def recorded_paths(sentence: dict[str, Any]) -> dict[tuple[str, ...], str]:
    found: dict[int, tuple[str, ...]] = {}
    for node in sentence["nodes"]:
        found[node["id"]] = (*(() if node["parent"] is None else found[node["parent"]]), node["token"])
    return {found[node["id"]]: node["fate"] for node in sentence["nodes"]}


@pytest.mark.parametrize("recombine", [False, True])
def test_a_tree_that_fits_is_the_recorded_one(recombine: bool) -> None:
    sentence = traced(recombine=recombine)
    tree = bounded_tree(sentence, 1000)
    assert paths(tree) == recorded_paths(sentence)
    assert tree["left_out"] == 0
    assert set(paths(tree).values()) >= {"kept", "finished", "cut", "limit"} | ({"recombined"} if recombine else set())
    by_path = {path: node for path, node in zip(recorded_paths(sentence), sentence["nodes"], strict=True)}
    for place, path in enumerate(paths(tree)):
        assert tree["log_prob"][place] == pytest.approx(by_path[path]["log_prob"], abs=6e-4)
        into = by_path[path].get("into")
        merged = tree["into"][place]
        assert (into is None) == (merged is None)
        if merged is not None:
            assert tree["log_prob"][merged] > tree["log_prob"][place] and tree["token"][merged] == tree["token"][place]


@pytest.mark.parametrize("most", [1, 5, 12, 20, 30])
@pytest.mark.parametrize("seed", range(4))
def test_a_cut_tree_is_a_tree_of_the_best_within_its_bound(most: int, seed: int) -> None:
    sentence = traced(seed=seed, recombine=True)
    tree, whole = bounded_tree(sentence, most), recorded_paths(sentence)
    kept = paths(tree)
    assert len(kept) == len(tree["parent"]) <= most
    assert len(kept) + tree["left_out"] == len(whole)
    assert kept.items() <= whole.items(), "every kept node has all nodes before it"
    best = list(whole)[sentence["best"][0]]
    assert (best in kept) == (tree["best"][0] is not None) == (len(best) <= most), "the best hypothesis goes first"
    if any(fate == "cut" for fate in kept.values()):
        assert (
            len([fate for fate in kept.values() if fate != "cut"]) >= len([f for f in whole.values() if f != "cut"]) - 1
        )


def test_only_the_recorded_returned_hypotheses_are_called_best() -> None:
    sentence = traced(returned=2)
    tree, whole = bounded_tree(sentence, 1000), list(recorded_paths(sentence))
    ends = [list(paths(tree))[place] for place in tree["best"]]
    assert ends == [whole[key] for key in sentence["best"]]
    assert all(end[-1] == EOS or len(end) == 8 for end in ends)


def test_trees_are_read_of_each_entry_and_bounded_for_the_split(tmp_path: Path, monkeypatch) -> None:
    run = write_run(tmp_path, "gru", 1, made=sentences(4))
    assert beam_trees(compare(collect([tmp_path]), samples=20).splits[0]) is None
    for folder in run.evaluation_folders():
        write_beams(folder, ["one", "two", "three"], WORDS, size=2 if "beam" in folder.name else 1, limit=5)
    (split,) = compare(collect([tmp_path]), samples=20).splits
    found = beam_trees(split)
    assert found is not None and found["left_out"] == 0
    assert [item["entry"] for item in found["strategies"]] == [0, 1]
    assert [[tree["index"] for tree in item["sentences"]] for item in found["strategies"]] == [[0, 1, 2]] * 2
    trees = [tree for item in found["strategies"] for tree in item["sentences"]]
    room = sum(len(tree["parent"]) for tree in trees) - 1
    monkeypatch.setattr(module, "MOST_NODES_OF_SPLIT", room)
    fewer = beam_trees(split)
    assert fewer is not None and fewer["left_out"] == 1
    assert sum(len(tree["parent"]) for item in fewer["strategies"] for tree in item["sentences"]) <= room
    monkeypatch.setattr(module, "MOST_NODES_OF_SPLIT", 0)
    assert beam_trees(split) == {"strategies": [], "left_out": 6}


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("fate", "lost", "fate of node 3 is 'lost', expected kept"),
        ("parent", 99, "parent of node 3 is 99"),
        ("parent", 3, "parent of node 3 is 3, expected a node of a step before"),
        ("parent", None, "expected one node without a parent"),
        ("id", 2, "two nodes have one id"),
        ("into", 99, "into of node 3 is 99"),
        ("token", 5, "token is 5, expected text"),
        ("log_prob", "low", "log_prob is 'low', expected"),
    ],
)
def test_what_is_no_tree_is_refused_in_one_line(tmp_path: Path, place: str, value: Any, said: str) -> None:
    path = write_beams(tmp_path, ["one"], WORDS, size=2, limit=4)
    record = json.loads(path.read_text())
    record["sentences"][0]["nodes"][3][place] = value
    path.write_text(json.dumps(record))
    with pytest.raises(RequestError) as fault:
        read_trees(path)
    assert str(path) in str(fault.value) and said in str(fault.value)
    assert "\n" not in str(fault.value)


def test_other_schemas_and_unknown_ends_are_refused(tmp_path: Path) -> None:
    path = write_beams(tmp_path, ["one"], WORDS, size=2, limit=4)
    record = json.loads(path.read_text())
    record["sentences"][0]["best"] = [1234]
    path.write_text(json.dumps(record))
    with pytest.raises(RequestError, match="best is 1234, expected the id of a node"):
        read_trees(path)
    path.write_text(json.dumps({**record, "schema": 99}))
    with pytest.raises(RequestError, match="newer"):
        read_trees(path)
    path.write_text("[]")
    with pytest.raises(RequestError, match="expected a JSON object"):
        read_trees(path)
    assert read_trees(tmp_path / "absent.json") == []

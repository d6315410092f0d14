"""Searches as trees: what a strategy looked at step by step, from beams.json, cut to what the page can carry."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.record import read_record
from s2s_lab.records.shape import Exactly, Maybe
from s2s_lab.reports.entries import SplitComparison

MOST_NODES = 1_200
"""Nodes of one tree; beyond them the less probable candidates of each step are left out."""

MOST_NODES_OF_SPLIT = 30_000
"""Nodes of all trees of one split, about 1 MB; trees that would go beyond are left out."""

FATES = ("kept", "finished", "cut", "recombined", "limit")
"""What became of a node; the page tells them by their place here."""

SCHEMA = 1
NUMBER = (int, float, type(None))
NODE = Exactly(
    id=int, parent=(int, type(None)), step=int, token=str, log_prob=NUMBER, score=NUMBER, fate=str,
    others=Maybe(into=int),
)  # fmt: skip
BEAMS = Exactly(sentences=[Exactly(index=int, source=[str], nodes=[NODE], best=[int])])


def beam_trees(split: SplitComparison) -> dict[str, Any] | None:
    """Give the recorded trees of each entry's first run.

    Args:
        split: The entries.

    Returns:
        `strategies`: for each entry that has some its position as `entry`, `seed` and `sentences`, the trees of
        `bounded_tree`; `left_out`, how many trees are not kept. None where no tree is recorded.

    Raises:
        RequestError: If a beams.json is not what a trace leaves.
    """
    recorded = []
    for position, entry in enumerate(split.entries):
        trees = read_trees(entry.evaluations[0].folder / "beams.json")
        if trees:
            recorded.append((position, str(entry.runs[0].seed), trees))
    if not recorded:
        return None
    room, left_out = MOST_NODES_OF_SPLIT, 0
    kept: dict[int, list[dict[str, Any]]] = {position: [] for position, _, _ in recorded}
    for place in range(max(len(trees) for _, _, trees in recorded)):  # the first sentence of all, then the second
        for position, _, trees in recorded:
            if place >= len(trees):
                continue
            tree = bounded_tree(trees[place], MOST_NODES)
            if len(tree["parent"]) > room:
                left_out += 1
                continue
            room -= len(tree["parent"])
            kept[position].append(tree)
    strategies = [
        {"entry": position, "seed": seed, "sentences": kept[position]}
        for position, seed, _ in recorded
        if kept[position]
    ]
    return {"strategies": strategies, "left_out": left_out}


def read_trees(path: Path) -> list[dict[str, Any]]:
    """Read the trees of one evaluation.

    Args:
        path: beams.json; nothing is recorded where there is no such file.

    Returns:
        For each sentence index, source, nodes and best, as recorded.

    Raises:
        RequestError: If the file is unreadable, of a newer schema, or its nodes make no tree.
    """
    if not path.is_file():
        return []
    found = read_record(path, schema=SCHEMA, shape=BEAMS)
    for sentence in found["sentences"]:
        _check_tree(sentence, f"{path}, sentence {sentence['index']}")
    return found["sentences"]


def bounded_tree(sentence: dict[str, Any], most: int) -> dict[str, Any]:
    """Cut one tree to a number of nodes and write it column by column.

    Kept first are the paths of the returned hypotheses, best first; then of each step what lived on, ended or was
    recombined, the best scores first; then what was cut. A node is kept with all nodes before it only.

    Args:
        sentence: As recorded.
        most: Nodes.

    Returns:
        index; source (tokens); parent (place of the node before, None at the root), step, token, log_prob, score, fate
        (place in FATES), into (place of what it was merged into, or None), one for each node; best: places of the
        returned hypotheses' ends, None for one that is left out; left_out: number of nodes.
    """
    nodes = {node["id"]: node for node in sentence["nodes"]}
    chosen: set[int] = set()
    for node in _by_importance(sentence):
        needed = _needed(node, nodes, chosen)
        if len(chosen) + len(needed) <= most:
            chosen |= needed
    ordered = sorted((nodes[key] for key in chosen), key=lambda node: (node["step"], -_score(node), node["id"]))
    places = {node["id"]: place for place, node in enumerate(ordered)}
    return {
        "index": sentence["index"],
        "source": sentence["source"],
        "parent": [None if node["parent"] is None else places[node["parent"]] for node in ordered],
        "step": [node["step"] for node in ordered],
        "token": [node["token"] for node in ordered],
        "log_prob": [_rounded(node["log_prob"]) for node in ordered],
        "score": [_rounded(node["score"]) for node in ordered],
        "fate": [FATES.index(node["fate"]) for node in ordered],
        "into": [places.get(node.get("into")) for node in ordered],
        "best": [places.get(key) for key in sentence["best"]],
        "left_out": len(nodes) - len(ordered),
    }


def _by_importance(sentence: dict[str, Any]) -> Iterator[dict[str, Any]]:
    nodes = {node["id"]: node for node in sentence["nodes"]}
    yield from (nodes[key] for key in sentence["best"])
    of_step: dict[int, list[dict[str, Any]]] = {}
    for node in sentence["nodes"]:
        of_step.setdefault(node["step"], []).append(node)
    ranked = []
    for step, members in of_step.items():
        members = sorted(members, key=lambda node: (node["fate"] == "cut", -_score(node), node["id"]))
        ranked += [(node["fate"] == "cut", rank, step, node["id"]) for rank, node in enumerate(members)]
    yield from (nodes[key] for _, _, _, key in sorted(ranked))


def _needed(node: dict[str, Any], nodes: dict[int, dict[str, Any]], chosen: set[int]) -> set[int]:
    """Give the node, what it was merged into, and all before them, as far as not chosen yet."""
    found: set[int] = set()
    waiting: list[int | None] = [node["id"]]
    while waiting:
        key = waiting.pop()
        if key is None or key in chosen or key in found:
            continue
        found.add(key)
        waiting += [nodes[key]["parent"], nodes[key].get("into")]
    return found


def _check_tree(sentence: dict[str, Any], place: str) -> None:
    nodes = {node["id"]: node for node in sentence["nodes"]}
    if len(nodes) != len(sentence["nodes"]):
        raise RequestError(f"{place}: two nodes have one id")
    if sum(node["parent"] is None for node in nodes.values()) != 1:
        raise RequestError(f"{place}: expected one node without a parent, the root")
    for key, node in nodes.items():
        if node["fate"] not in FATES:
            raise RequestError(f"{place}: fate of node {key} is {node['fate']!r}, expected {', '.join(FATES)}")
        parent = nodes.get(node["parent"])
        if node["parent"] is not None and (parent is None or parent["step"] >= node["step"]):
            raise RequestError(f"{place}: parent of node {key} is {node['parent']}, expected a node of a step before")
        _check_known(f"{place}: into of node {key}", [] if node.get("into") is None else [node["into"]], nodes)
    _check_known(f"{place}: best", sentence["best"], nodes)


def _check_known(place: str, keys: Sequence[int], nodes: dict[int, dict[str, Any]]) -> None:
    for key in keys:
        if key not in nodes:
            raise RequestError(f"{place} is {key}, expected the id of a node")


def _score(node: dict[str, Any]) -> float:
    return float("-inf") if node["score"] is None else node["score"]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)

"""Traces of searches as evaluations record them, from a plain beam search over a made-up model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

EOS = "</s>"


def trace_search(
    words: Sequence[str], *, size: int, limit: int, seed: int = 0, recombine: bool = False, returned: int = 3
) -> dict[str, Any]:
    """Search a random bigram model whose outputs end sooner or later; give nodes and best as a trace tells them.

    Args:
        words: The vocabulary without the end.
        size: Of the beam.
        limit: Most tokens.
        seed: Of the model.
        recombine: Whether candidates of one step that end in the same word are merged.
        returned: Hypotheses.
    """
    rng = np.random.default_rng(seed)
    symbols = [*words, EOS]
    table = rng.normal(scale=1.6, size=(len(symbols) + 1, len(symbols)))
    table[:, -1] -= 0.3
    table -= np.log(np.exp(table).sum(axis=1, keepdims=True))
    nodes = [_node(0, None, -1, "<s>", 0.0, "kept")]
    live = [(0.0, 0, len(symbols))]  # log-probability, node, last symbol
    ends: list[int] = []
    for step in range(limit):
        candidates = sorted(
            (
                (total + table[last, symbol], parent, symbol)
                for total, parent, last in live
                for symbol in range(len(symbols))
            ),
            key=lambda item: -item[0],
        )[: 2 * size]
        live = []
        for rank, (total, parent, symbol) in enumerate(candidates):
            node = _node(len(nodes), parent, step, symbols[symbol], float(total), "cut")
            twin = next((place for _, place, other in live if other == symbol), None) if recombine else None
            if symbols[symbol] == EOS:
                if rank < size:
                    node["fate"] = "finished"
                    ends.append(node["id"])
            elif twin is not None:
                node |= {"fate": "recombined", "into": twin}
            elif len(live) < size:
                node["fate"] = "limit" if step == limit - 1 else "kept"
                live.append((total, node["id"], symbol))
            nodes.append(node)
    ends += [place for _, place, _ in live]
    best = sorted(ends, key=lambda key: (-nodes[key]["score"], key))[:returned]
    return {"nodes": nodes, "best": best}


def _node(key: int, parent: int | None, step: int, token: str, log_prob: float, fate: str) -> dict[str, Any]:
    score = log_prob / max(1, step + 1)
    return {
        "id": key,
        "parent": parent,
        "step": step,
        "token": token,
        "log_prob": log_prob,
        "score": score,
        "fate": fate,
    }


def write_beams(folder: Path, sources: Sequence[str], words: Sequence[str], **search: Any) -> Path:
    """Write beams.json of the sources into an evaluation folder; options as of `trace_search`."""
    sentences = [
        {"index": index, "source": source.split(), **trace_search(words, seed=index, **search)}
        for index, source in enumerate(sources)
    ]
    path = folder / "beams.json"
    path.write_text(json.dumps({"schema": 1, "sentences": sentences}), encoding="utf-8")
    return path

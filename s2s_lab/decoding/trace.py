"""The account of a search: every candidate that was looked at, whom it continued, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from s2s_lab.decoding.base import Hypothesis
    from s2s_lab.decoding.task import Task

Fate = Literal["kept", "finished", "cut", "recombined"]


class Candidate(NamedTuple):
    """One symbol that a step of a search looked at for one hypothesis.

    Attributes:
        parent: row, before the step, of the live hypothesis that it continues.
        token: id of the symbol.
        log_prob: natural log of the model's own probability of this symbol alone.
        score: of the whole hypothesis, as the strategy would rank it at its present length.
        fate: kept (it lives on), finished (it ended in eos and was collected), cut, or recombined (merged into a better
            one).
        row: of a kept one, after the step.
        into: of a recombined one, the place of the better one among the step's candidates.
    """

    parent: int
    token: int
    log_prob: float
    score: float
    fate: Fate
    row: int | None = None
    into: int | None = None


@dataclass
class _Tree:
    """What was told of one sentence: its nodes, those alive after its last step by row, and the ends of its outputs."""

    nodes: list[dict[str, Any]]
    live: dict[int, int]
    steps: int = 0
    best: list[int] = field(default_factory=list)


class Trace:
    """Collects the searches of any number of sentences as trees."""

    def __init__(self) -> None:
        self._trees: dict[int, _Tree] = {}

    def step(self, sentence: int, candidates: Sequence[Candidate]) -> None:
        """Takes in one step of one sentence's search; its steps are told in their order.

        Args:
            sentence: its place in its split.
            candidates: best first.

        Raises:
            KeyError: a candidate continues a row that no candidate of the step before lived on in.
        """
        tree = self._trees.get(sentence)
        if tree is None:
            root = {"id": 0, "parent": None, "step": -1, "token": 0, "log_prob": 0.0, "score": 0.0, "fate": "kept"}
            tree = self._trees[sentence] = _Tree([root], dict.fromkeys((each.parent for each in candidates), 0))
        first, live = len(tree.nodes), {}
        for place, each in enumerate(candidates):
            parent = tree.live[each.parent]
            node = {
                "id": first + place,
                "parent": parent,
                "step": tree.steps,
                "token": each.token,
                "log_prob": tree.nodes[parent]["log_prob"] + each.log_prob,
                "score": each.score,
                "fate": each.fate,
            }
            if each.into is not None:
                node["into"] = first + each.into
            if each.row is not None:
                live[each.row] = first + place
            tree.nodes.append(node)
        tree.live, tree.steps = live, tree.steps + 1

    def close(self, task: Task, hypotheses: Sequence[Sequence[Hypothesis]], *, bos: int, eos: int) -> None:
        """Ends the searches of a batch: marks who was alive at the limit and where the outputs end.

        Args:
            task: what was asked of the search.
            hypotheses: what it gave, in the order of the batch.
            bos: id of the root's token.
            eos: id that ends a hypothesis.
        """
        for sentence, limit, nbest in zip(task.sentence_index.tolist(), task.limits.tolist(), hypotheses, strict=True):
            tree = self._trees[sentence]
            tree.nodes[0]["token"] = bos
            if tree.steps == limit:
                for node in tree.live.values():
                    tree.nodes[node]["fate"] = "limit"
            children: dict[tuple[int, int], list[int]] = {}
            for node in tree.nodes[1:]:
                if node["fate"] in ("kept", "finished", "limit"):
                    children.setdefault((node["parent"], node["token"]), []).append(node["id"])
            for hypothesis in nbest:
                ends = [0]
                for token in (*hypothesis.ids, eos) if hypothesis.finished else hypothesis.ids:
                    ends = [child for end in ends for child in children.get((end, token), ())]
                fate = "finished" if hypothesis.finished else "limit"
                tree.best.append(next(end for end in ends if tree.nodes[end]["fate"] == fate))

    def sentences(self) -> list[dict[str, Any]]:
        """Gives the trees as plain data, by ascending place in the split.

        Returns:
            For each sentence `nodes`, the root first, each with id, parent (a node's id), step (from 0; -1 for the
            root), token (an id), log_prob (natural log, the model's own, summed), score, fate (as of `Candidate`, or
            `limit`: alive at the length limit) and, where recombined, into (a node's id); and `best`, the nodes that
            the returned hypotheses end in, best first.
        """
        return [{"nodes": self._trees[each].nodes, "best": self._trees[each].best} for each in sorted(self._trees)]

"""Translates a stream of lines with a frozen model, in order, in constant memory."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from s2s_lab.assemble.inference import build_strategy, choose_device, load_model, model_place
from s2s_lab.decoding.base import Hypothesis
from s2s_lab.faults import RequestError
from s2s_lab.inference.decode import Decoded, decode
from s2s_lab.inference.frozen import FrozenModel, length_sorted_batches
from s2s_lab.inference.lexicon_file import load_lexicon
from s2s_lab.inference.shortlist import Shortlist

CHUNK = 16  # batches read ahead, so that lines of like length can be decoded together


def translate_lines(
    lines: Iterable[str],
    settings: Mapping[str, Any],
    *,
    interactive: bool = False,
    tell: Callable[[str, int, str], None] = lambda kind, number, remark: None,
) -> Iterator[tuple[list[str], str | None]]:
    """Reads the model, then translates lines as they come.

    Args:
        lines: source text, without line ends.
        settings: plain conf/translate.yaml.
        interactive: whether each line is answered before the next one is read.
        tell: is told of lines that are cut: kind, number from 1, remark (see Remarks).

    Returns:
        For each line exactly `nbest` outputs, best first, each as text or, with nbest > 1, as `score<TAB>text`; empty
        ones for an empty line and where the strategy found fewer; and, where attention is asked for, a JSON line with
        tokens and weights.

    Raises:
        RequestError: if the model cannot be read or nbest is more than the strategy keeps, or a shortlist is asked
            for and the model has no lexicon.
    """
    translator = Translator(settings, tell)
    encoded = _encoded(lines, translator.model, settings["max_source_length"], tell)
    return _translated(encoded, settings, translator, interactive)


class Translator:
    """A frozen model with a strategy, ready to translate.

    Args:
        settings: plain conf/translate.yaml.
        tell: as of `translate_lines`.

    Attributes:
        settings: the same.
        device: where the model is.
        model: the model.
        strategy: the strategy.
        shortlist: what the output layer is narrowed to, or None.

    Raises:
        RequestError: as of `translate_lines`.
    """

    def __init__(
        self, settings: Mapping[str, Any], tell: Callable[[str, int, str], None] = lambda kind, number, remark: None
    ) -> None:
        self.settings = settings
        self.device = choose_device(settings["accelerator"])
        torch.set_num_threads(settings["num_threads"] or len(os.sched_getaffinity(0)))
        torch.set_float32_matmul_precision(settings["matmul_precision"])
        self.model = load_model(Path(settings["run"]), device=self.device, precision=settings["precision"])
        self.strategy = build_strategy(settings["decoding"], settings.get("constraint"))
        wanted, kept = settings["nbest"], self.strategy.num_hypotheses
        if not 1 <= wanted <= kept:
            raise RequestError(
                f"nbest={wanted}: decoding={self.strategy.name} keeps {kept}; set decoding.num_hypotheses"
            )
        self.shortlist = None
        if settings["shortlist"]:
            vocabularies = {"source": self.model.source.vocabulary, "target": self.model.target.vocabulary}
            self.shortlist = Shortlist(load_lexicon(model_place(Path(settings["run"])), **vocabularies))
        self._tell = tell

    def decode(self, source_ids: Sequence[Sequence[int]], weights_of: frozenset[int]) -> Decoded:
        """Decodes sentences together; `weights_of` are those whose attention is kept."""
        batches_of = length_sorted_batches if self.shortlist is None else self.shortlist.batches
        batches = batches_of(source_ids, sentences=self.settings["batch_sentences"])
        return decode(
            self.model.network, self.strategy, batches, device=self.device, weights_of=weights_of,
            shortlist=self.shortlist,
        )  # fmt: skip

    def translate(self, line: str) -> tuple[list[int], list[Hypothesis]]:
        """Translates one line: its ids, eos at the end, and its hypotheses with their attention, best first."""
        ((ids, _),) = _encoded([line], self.model, self.settings["max_source_length"], self._tell)
        return ids, self.decode([ids], frozenset({0})).hypotheses[0]


def _translated(
    stream: Iterator[tuple[list[int], bool]],
    settings: Mapping[str, Any],
    translator: Translator,
    interactive: bool,
) -> Iterator[tuple[list[str], str | None]]:
    model, wanted = translator.model, settings["nbest"]
    ahead = 1 if interactive else settings["batch_sentences"] * CHUNK
    while chunk := list(islice(stream, ahead)):
        kept = frozenset(range(len(chunk))) if settings["attention_file"] else frozenset()
        source_ids = [ids for ids, _ in chunk]
        decoded = translator.decode(source_ids, kept)
        for index, (_, empty) in enumerate(chunk):
            nbest = decoded.hypotheses[index][:wanted]
            if empty:
                yield [""] * wanted, None
                continue
            texts = [model.target.line(item.ids) for item in nbest]
            if wanted > 1:
                texts = [f"{item.score:.4f}\t{text}" for item, text in zip(nbest, texts, strict=True)]
            texts += [""] * (wanted - len(texts))
            yield texts, _attention_line(model, source_ids[index], nbest[0]) if settings["attention_file"] else None


def _encoded(
    lines: Iterable[str], model: FrozenModel, longest: int | None, tell: Callable[[str, int, str], None]
) -> Iterator[tuple[list[int], bool]]:
    """Yields the ids of each line, eos at the end, and whether the line is empty; the lines themselves are let go."""
    for number, line in enumerate(lines, start=1):
        ids = model.source.ids(line)
        if longest is not None and len(ids) - 1 > longest:
            tell("were too long", number, f"{len(ids) - 1:,} tokens, cut to max_source_length={longest}")
            ids = [*ids[:longest], ids[-1]]
        yield ids, not line.strip()


def _attention_line(model: FrozenModel, source_ids: Sequence[int], best: Hypothesis) -> str:
    weights = None if best.weights is None else [[round(value, 4) for value in row] for row in best.weights.tolist()]
    source = [*model.source.tokens(source_ids), "</s>"]
    target = [*model.target.tokens(best.ids), *(["</s>"] if best.finished else [])]
    if weights is not None:
        weights = [row[: len(source)] for row in weights[: len(target)]]
    return json.dumps({"source": source, "target": target, "weights": weights}, ensure_ascii=False)

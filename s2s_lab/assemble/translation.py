"""Translates a stream of lines with a frozen model, in order, in constant memory."""

import functools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch

from s2s_lab.assemble.demands import DemandFiles, check_no_shortlist, constraint_ids
from s2s_lab.assemble.inference import build_strategy, choose_device, load_model, model_place
from s2s_lab.assemble.together import together_of
from s2s_lab.data.several import join_sources
from s2s_lab.decoding.base import Hypothesis
from s2s_lab.faults import RequestError
from s2s_lab.inference.decode import Decoded, decode
from s2s_lab.inference.frozen import FrozenModel, length_sorted_batches
from s2s_lab.inference.lanes import lanes_on
from s2s_lab.inference.lexicon_file import load_lexicon
from s2s_lab.inference.shortlist import Shortlist
from s2s_lab.inference.text import cut, parts
from s2s_lab.inference.unknown_words import wording

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
        For each line exactly `nbest` outputs, best first, each as text or, with nbest > 1 or scores, as
        `score<TAB>text`; empty ones for an empty line and where the strategy found fewer; and, where attention is asked
        for, a JSON line with tokens and weights.

    Raises:
        RequestError: if the model cannot be read or nbest is more than the strategy keeps, or a shortlist is asked
            for and the model has no lexicon, or a file of demands does not fit the lines.
    """
    translator = Translator(settings, tell)
    return _translated(translator.read(lines), settings, translator, interactive)


class BadLineError(RequestError):
    """A line that the model cannot read."""


class Line(NamedTuple):
    """One line of the stream; the text itself is let go where nothing asks for it.

    Attributes:
        ids: of the source, eos at the end.
        empty: whether it holds nothing but blanks.
        text: as read, cut where its ids are; for models that read it anew.
        tokens: of the source as written.
    """

    ids: list[int]
    empty: bool
    text: str = ""
    tokens: Sequence[str] = ()


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
        together: the model with what decodes and judges beside it.
        replacing: whether unknown words of the outputs become source words.
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
        load = functools.partial(load_model, device=self.device, precision=settings["precision"])
        self.together = together_of(settings, Path(settings["run"]), self.model, load=load, device=self.device)
        constraint, self.replacing = settings.get("constraint"), settings.get("replace_unknown", False)
        in_ids = constraint_ids(constraint, self.model.target)
        self.strategy = build_strategy(settings["decoding"], constraint, in_ids, self.model.target)
        if settings["nbest"] > 1 and settings["decoding"].get("num_hypotheses") == 1:  # as it is where nothing is said
            wider = {**settings["decoding"], "num_hypotheses": settings["nbest"]}
            try:
                self.strategy = build_strategy(wider, constraint, in_ids, self.model.target)
            except RequestError as error:
                raise RequestError(f"nbest={settings['nbest']}: {error}") from None
        wanted, kept = settings["nbest"], self.strategy.num_hypotheses
        if not 1 <= wanted <= kept:
            keys = [key for key in ("num_hypotheses", "num_samples") if key in settings["decoding"]]
            hint = f"; set decoding.{keys[0]}" if keys else ", and no more"
            raise RequestError(f"nbest={wanted}: decoding={self.strategy.name} keeps {kept}{hint}")
        self.shortlist = None
        if settings["shortlist"]:
            vocabularies = {"source": self.model.source.vocabulary, "target": self.model.target.vocabulary}
            self.shortlist = Shortlist(load_lexicon(model_place(Path(settings["run"])), **vocabularies))
        self._tell, self._demands = tell, DemandFiles(settings, self.model.target)
        self._decoded = 0  # lines so far

    def read(self, lines: Iterable[str]) -> Iterator[Line]:
        """Turns lines into ids; those that are too long are cut, and told of.

        Raises:
            BadLineError: a line that is not empty holds another number of sources than the model reads.
        """
        source, longest = self.model.source, self.settings["max_source_length"]
        for number, line in enumerate(lines, start=1):
            text = line if line.strip() else join_sources([""] * source.num_sources)
            try:
                ids = source.ids(text)
            except RequestError as error:
                raise BadLineError(f"line {number}: {error}") from None
            tokens = source.written(text, longest) if self.replacing else ()
            tokenized = max(map(len, parts(ids)))
            if longest is not None and tokenized > longest:
                self._tell("were too long", number, f"{tokenized:,} tokens, cut to max_source_length={longest}")
                ids = cut(ids, longest)
                text = source.line(ids)
            yield Line(ids, not line.strip(), text if self.together.rerankers else "", tokens)

    def decode(self, lines: Sequence[Line], weights_of: frozenset[int]) -> Decoded:
        """Decodes the next lines together; `weights_of` are those whose attention is kept."""
        demands = self._demands.next(len(lines))
        check_no_shortlist(self.settings, demands, self.strategy)
        batches_of = length_sorted_batches if self.shortlist is None else self.shortlist.batches
        batches = batches_of([line.ids for line in lines], sentences=self.settings["batch_sentences"])
        decoded = decode(
            self.together.network, self.strategy, batches, device=self.device, shortlist=self.shortlist,
            weights_of=frozenset(range(len(lines))) if self.replacing else weights_of, demands=demands,
            first=self._decoded, lanes=lanes_on(self.device, self.settings.get("batches_at_once")),
        )  # fmt: skip
        self._decoded += len(lines)
        return self.together.reranked(decoded, [line.text for line in lines])

    def texts(self, lines: Sequence[Line]) -> Callable[[int, Hypothesis], str]:
        """Gives what turns the place of one of these lines and one of its hypotheses into text."""
        return wording(self.model.target, [line.tokens for line in lines] if self.replacing else None)

    def translate(self, line: str) -> tuple[list[int], list[tuple[str, Hypothesis]]]:
        """Translates one line: its ids, eos at the end, and its outputs with their attention, best first."""
        self.model.source.forget()
        (read,) = self.read([line])
        text_of = self.texts([read])
        return read.ids, [(text_of(0, item), item) for item in self.decode([read], frozenset({0})).hypotheses[0]]

    def end(self) -> None:
        """Looks that no demand is left after the last line.

        Raises:
            RequestError: a file of demands has more lines than the input.
        """
        self._demands.end()


def _translated(
    stream: Iterator[Line], settings: Mapping[str, Any], translator: Translator, interactive: bool
) -> Iterator[tuple[list[str], str | None]]:
    model, wanted = translator.model, settings["nbest"]
    ahead = 1 if interactive else settings["batch_sentences"] * CHUNK
    while chunk := list(islice(stream, ahead)):
        kept = frozenset(range(len(chunk))) if settings["attention_file"] else frozenset()
        decoded, text_of = translator.decode(chunk, kept), translator.texts(chunk)
        for index, line in enumerate(chunk):
            nbest = decoded.hypotheses[index][:wanted]
            if line.empty:
                yield [""] * wanted, None
                continue
            texts = [text_of(index, item) for item in nbest]
            if wanted > 1 or settings.get("scores"):
                texts = [f"{item.score:.4f}\t{text}" for item, text in zip(nbest, texts, strict=True)]
            texts += [""] * (wanted - len(texts))
            yield texts, _attention_line(model, line.ids, nbest[0]) if settings["attention_file"] else None
        model.source.forget()
    translator.end()


def _attention_line(model: FrozenModel, source_ids: Sequence[int], best: Hypothesis) -> str:
    weights = None if best.weights is None else [[round(value, 4) for value in row] for row in best.weights.tolist()]
    source = model.source.labels(source_ids)
    target = [*model.target.tokens(best.ids), *(["</s>"] if best.finished else [])]
    if weights is not None:
        weights = [row[: len(source)] for row in weights[: len(target)]]
    return json.dumps({"source": source, "target": target, "weights": weights}, ensure_ascii=False)

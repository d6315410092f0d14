"""Translates a stream of lines with a frozen model, in order, in constant memory."""

import functools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from s2s_lab.assemble.inference import build_strategy, choose_device, load_model, model_place
from s2s_lab.assemble.together import Together, together_of
from s2s_lab.decoding.base import DecodingStrategy, Hypothesis
from s2s_lab.faults import RequestError
from s2s_lab.inference.decode import decode
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
    device = choose_device(settings["accelerator"])
    torch.set_num_threads(settings["num_threads"] or len(os.sched_getaffinity(0)))
    torch.set_float32_matmul_precision(settings["matmul_precision"])
    model = load_model(Path(settings["run"]), device=device, precision=settings["precision"])
    load = functools.partial(load_model, device=device, precision=settings["precision"])
    together = together_of(settings, Path(settings["run"]), model, load=load, device=device)
    strategy = build_strategy(settings["decoding"], settings.get("constraint"), model.target)
    wanted = settings["nbest"]
    if not 1 <= wanted <= strategy.num_hypotheses:
        raise RequestError(
            f"nbest={wanted}: decoding={strategy.name} keeps {strategy.num_hypotheses}; set decoding.num_hypotheses"
        )
    encoded = _encoded(lines, model, settings["max_source_length"], tell, keep=bool(together.rerankers))
    shortlist = None
    if settings["shortlist"]:
        vocabularies = {"source": model.source.vocabulary, "target": model.target.vocabulary}
        shortlist = Shortlist(load_lexicon(model_place(Path(settings["run"])), **vocabularies))
    return _translated(encoded, settings, together, strategy, shortlist, interactive)


def _translated(
    stream: Iterator[tuple[list[int], bool, str]],
    settings: Mapping[str, Any],
    together: Together,
    strategy: DecodingStrategy,
    shortlist: Shortlist | None,
    interactive: bool,
) -> Iterator[tuple[list[str], str | None]]:
    model, device, wanted = together.model, together.device, settings["nbest"]
    batches_of = length_sorted_batches if shortlist is None else shortlist.batches
    ahead = 1 if interactive else settings["batch_sentences"] * CHUNK
    while chunk := list(islice(stream, ahead)):
        kept = frozenset(range(len(chunk))) if settings["attention_file"] else frozenset()
        source_ids = [ids for ids, *_ in chunk]
        batches = batches_of(source_ids, sentences=settings["batch_sentences"])
        decoded = decode(together.network, strategy, batches, device=device, weights_of=kept, shortlist=shortlist)
        decoded = together.reranked(decoded, [line for *_, line in chunk])
        for index, (_, empty, _) in enumerate(chunk):
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
    lines: Iterable[str],
    model: FrozenModel,
    longest: int | None,
    tell: Callable[[str, int, str], None],
    *,
    keep: bool,
) -> Iterator[tuple[list[int], bool, str]]:
    """Yields the ids of each line, eos at the end, whether the line is empty, and the line where told to keep it.

    A line that is cut is kept cut, as its tokens stand for it.
    """
    for number, line in enumerate(lines, start=1):
        ids = model.source.ids(line)
        if longest is not None and len(ids) - 1 > longest:
            tell("were too long", number, f"{len(ids) - 1:,} tokens, cut to max_source_length={longest}")
            ids = [*ids[:longest], ids[-1]]
            line = model.source.line(ids)
        yield ids, not line.strip(), line if keep else ""


def _attention_line(model: FrozenModel, source_ids: Sequence[int], best: Hypothesis) -> str:
    weights = None if best.weights is None else [[round(value, 4) for value in row] for row in best.weights.tolist()]
    source = [*model.source.tokens(source_ids), "</s>"]
    target = [*model.target.tokens(best.ids), *(["</s>"] if best.finished else [])]
    if weights is not None:
        weights = [row[: len(source)] for row in weights[: len(target)]]
    return json.dumps({"source": source, "target": target, "weights": weights}, ensure_ascii=False)

"""Run folders as trainings and evaluations leave them, made up quickly through records' own interface."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from s2s_lab.metrics.base import Metric, Score
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.records.configuration import configuration_hash
from s2s_lab.records.evaluation import Alignment, write_evaluation
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.records.word_counts import count_words
from s2s_lab.reports.claims import Measured, judge
from s2s_lab.reports.study_section import StudyView

SUBJECTS = {"the man": "der Mann", "a woman": "eine Frau", "the dog": "der Hund", "two children": "zwei Kinder"}
VERBS = {"runs": "läuft", "sleeps": "schläft", "plays": "spielt", "waits": "wartet"}
PLACES = {
    "in the park": "im Park",
    "on the beach": "am Strand",
    "near the station": "beim Bahnhof",
    "in front of a house": "vor einem Haus",
}
TIMES = {"": "", "in the morning": "am Morgen", "late at night": "spät in der Nacht"}
HOSTILE = "</script><img src=x onerror=\"window.hacked=1\"><b>&amp; {{ 7 * 7 }} 'quoted'"


@dataclass
class Sentences:
    """A made-up test set."""

    sources: list[str] = field(default_factory=list)
    references: list[tuple[str, ...]] = field(default_factory=list)


def sentences(count: int, *, seed: int = 0, hostile: bool = True) -> Sentences:
    """Make aligned sentences; the second one tries to break out of a page."""
    rng = np.random.default_rng(seed)
    made = Sentences()
    for _ in range(count):
        parts = [list(table.items())[rng.integers(len(table))] for table in (SUBJECTS, VERBS, PLACES, TIMES)]
        made.sources.append(" ".join(part[0] for part in parts if part[0]))
        made.references.append((" ".join(part[1] for part in parts if part[1]),))
    if hostile and count > 1:
        made.sources[1], made.references[1] = HOSTILE, (HOSTILE,)
    return made


def hypotheses(made: Sentences, *, quality: float, seed: int) -> list[str]:
    """Spoil references: each word survives with probability `quality`, else is dropped or replaced."""
    rng = np.random.default_rng(seed)
    words = [word for (reference,) in made.references for word in reference.split() if "<" not in word]
    outputs = []
    for (reference,) in made.references:
        kept = []
        for word in reference.split():
            if rng.random() < quality:
                kept.append(word)
            elif rng.random() < 0.6:
                kept.append(words[rng.integers(len(words))])
        outputs.append(" ".join(kept))
    return outputs


def configuration(model: str, seed: int, **changes: Any) -> dict[str, Any]:
    """A resolved configuration in small."""
    cell = model.split("_")[0]
    attention = "AdditiveAttention" if model.endswith("attention") else "NoAttention"
    return {
        "seed": seed,
        "name": model,
        "data": {"name": "toy", "source": "en", "target": "de"},
        "cell": {"_target_": f"s2s_lab.models.cells.{cell}.{cell.upper()}Cell"},
        "attention": {"_target_": f"s2s_lab.models.attentions.{attention}"},
        "encoder": {"hidden_size": 128},
        "metrics": {"monitor": "bleu"},
        "trainer": {"max_steps": 1000},
        **changes,
    }


def write_run(
    root: Path,
    model: str,
    seed: int,
    *,
    made: Sentences,
    quality: float = 0.7,
    strategies: Sequence[str] = ("greedy", "beam"),
    status: str = "finished",
    under_trained: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> RunFolder:
    """Write one run with curves, word counts and an evaluation on `test` for each strategy."""
    values = configuration(model, seed, **(settings or {}))
    row_hash = configuration_hash(values, without=("seed",))
    order = len(list(root.glob("*"))) if root.is_dir() else 0
    folder = RunFolder.create(root, f"20261121-{order:06d}-{configuration_hash(values)}")
    folder.write_configuration(values)
    folder.start(
        {
            "name": model,
            "experiment": "toy",
            "seed": seed,
            "job_hash": configuration_hash(values),
            "row_hash": row_hash,
            "started": f"2026-11-21T01:00:0{seed}+00:00",
            "choices": {"model": model},
            "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
            "versions": {"python": "3.11.7", "torch": "2.13.0", "lightning": "2.6.6"},
            "machine": {"cpu": "Example 9000", "cores": 2, "memory_gb": 16.0, "devices": ["cpu"]},
            "data": {"name": "toy", "source": "en", "target": "de", "fingerprint": "feedbeefcafe", "fill": 0.95},
            "parameters": 100_000 * len(model),
            "command": f"s2s-train data=toy model={model} seed={seed}",
        }
    )
    if status != "finished":
        folder.error_file.write_text("Traceback (most recent call last):\nValueError: <b>loss</b> is NaN\n")
        folder.finish(status)
        return folder
    write_curves(folder, quality, seed)
    folder.write_word_counts(count_words(reference for (reference,) in made.references[::2]))
    for position, strategy in enumerate(strategies):
        evaluate(folder, strategy, made, quality + 0.04 * position, seed, attention=model.endswith("attention"))
    folder.finish(
        "finished",
        {
            "seconds": 61.5 + seed,
            "steps": 1000,
            "tokens": 1_000_000,
            "tokens_per_second": 20_000.0,
            "validations": {"monitor": "bleu", "higher_is_better": True, "history": [[900, 30.0]]},
            "best": {"metric": "bleu", "value": 30.0, "step": 900, "checkpoint": "checkpoints/best.ckpt"},
            "under_trained": {"flag": under_trained, "reason": "the last steps still improved it by 4.0%"},
        },
    )
    return folder


def write_curves(folder: RunFolder, quality: float, seed: int) -> None:
    """Write learning curves in the form Lightning leaves them: training and validation in rows of their own."""
    lines = ["epoch,step,seconds,train/loss,train/gradient_norm,validation/loss,validation/bleu"]
    for step in range(50, 1001, 50):
        falling = np.exp(-step / 300) * 4 + 1 - quality + 0.02 * np.sin(step + seed)
        lines.append(f"{step // 400},{step},{step * 0.06:.2f},{falling:.4f},{1 + 1 / step:.4f},,")
        if step % 100 == 0:
            lines.append(
                f"{step // 400},{step},{step * 0.06:.2f},,,{falling + 0.2:.4f},{60 * quality - 9 * falling:.4f}"
            )
    folder.metrics_csv.write_text("\n".join(lines) + "\n")


def evaluate(
    folder: RunFolder,
    strategy: str,
    made: Sentences,
    quality: float,
    seed: int,
    *,
    attention: bool = False,
    metrics: Sequence[Metric] | None = None,
    split: str = "test",
    fingerprint: str = "abad1deaabad1dea",
    options: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    log_probs: Sequence[float] | None = None,
) -> Path:
    """Record one evaluation with real scores of made-up outputs.

    Args:
        folder: The run.
        strategy: Its name.
        made: What is decoded.
        quality: Share of words that survive.
        seed: Of the spoiling.
        attention: Whether weights are kept.
        metrics: Scores.
        split: Its name.
        fingerprint: Of the data.
        options: The strategy's configuration; they are in its signature too.
        facts: More facts of scores.json.
        log_probs: Of the outputs; all the same by default.
    """
    outputs = hypotheses(made, quality=quality, seed=seed)
    scores = [metric.score(outputs, made.references) for metric in metrics or (BLEU(lowercase=True), ExactMatch())]
    told = [-1.5] * len(outputs) if log_probs is None else list(log_probs)
    facts = {
        **_facts(strategy, scores, len(outputs), options),
        "split": split,
        "data_fingerprint": fingerprint,
        "warnings": ["3 of 40 hypotheses are empty"] if quality < 0.5 else [],
        **(facts or {}),
    }
    return write_evaluation(
        folder.evaluation(split, strategy, configuration_hash(facts, without=("scores", "warnings"))),
        facts=facts,
        sources=made.sources,
        references=made.references,
        hypotheses=outputs,
        nbest=[
            [{"text": text, "tokens": text.split(), "log_prob": log_prob, "score": -0.3, "finished": True}]
            for text, log_prob in zip(outputs, told, strict=True)
        ],
        segments=_segments(made, outputs, told, scores),
        attention={index: alignment(made.sources[index], outputs[index]) for index in range(6)} if attention else None,
    )


def _facts(strategy: str, scores: Sequence[Score], count: int, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """What scores.json tells of strategy, machine, speed and scores; a beam takes five times as long."""
    width = 5 if strategy == "beam" else 1
    values = {"size": width} if options is None else dict(options)
    own = "|".join(f"{key}:{value}" for key, value in values.items())
    kept = ("name", "value", "signature", "higher_is_better")
    return {
        "strategy": strategy,
        "signature": f"{strategy}|{own}|max_length:200",
        "configuration": values,
        "precision": "float32",
        "device": "cpu",
        "seconds": 2.0 * width,
        "sentences_per_second": count / (2.0 * width),
        "tokens_per_second": 4000.0 / width,
        "scores": [{key: getattr(score, key) for key in kept} for score in scores],
    }


def _segments(
    made: Sentences, outputs: Sequence[str], log_probs: Sequence[float], scores: Sequence[Score]
) -> list[dict[str, Any]]:
    """A row of segments.jsonl for each sentence."""
    return [
        {
            "index": index,
            "source_length": len(made.sources[index].split()),
            "reference_length": len(made.references[index][0].split()),
            "hypothesis_length": len(text.split()),
            "log_prob": log_probs[index],
            "score": -0.3,
            "statistics": {score.name: score.statistics[index] for score in scores},
        }
        for index, text in enumerate(outputs)
    ]


def alignment(source: str, output: str) -> Alignment:
    """Weights near the diagonal."""
    source_tokens, target_tokens = [*source.split(), "</s>"], [*output.split(), "</s>"]
    rows, columns = np.indices((len(target_tokens), len(source_tokens)))
    energies = -2 * (rows / len(target_tokens) - columns / len(source_tokens)) ** 2 * len(source_tokens)
    weights = np.exp(energies)
    return Alignment(weights / weights.sum(axis=1, keepdims=True), source_tokens, target_tokens)


def write_comparison(root: Path, *, count: int = 40, seeds: Sequence[int] = (1, 2)) -> Path:
    """Write the runs of a whole comparison: three models, a failed run and one that was stopped."""
    made = sentences(count)
    qualities = {"lstm": 0.55, "gru": 0.6, "gru_attention": 0.85}
    for model, quality in qualities.items():
        for seed in seeds:
            write_run(root, model, seed, made=made, quality=quality, under_trained=model == "lstm")
    write_run(root, "rnn", 1, made=made, status="failed")
    write_run(root, "rnn", 2, made=made, status="interrupted")
    return root


SIZES, RATES, CELLS = (25, 100, 400), (0.0, 0.3), ("gru", "lstm", "lstm_attention")


def write_sweep(root: Path, *, count: int = 24, seeds: Sequence[int] = (1, 2, 3)) -> Path:
    """Write a grid of sizes, dropout rates and cells, in which size matters most and dropout hardly."""
    made = sentences(count, hostile=False)
    for size, rate, cell in itertools.product(SIZES, RATES, CELLS):
        quality = 0.35 + 0.2 * SIZES.index(size) + 0.06 * CELLS.index(cell) + 0.02 * rate
        settings = {"encoder": {"hidden_size": size, "dropout": rate}, "decoder": {"hidden_size": size}}
        for seed in seeds:
            write_run(root, cell, seed, made=made, quality=quality, settings=settings, strategies=("greedy",))
    return root


def study_view() -> StudyView:
    """Claims with every verdict, one of them hostile, and scores of rows that have no run folder."""
    signature = ExactMatch().signature()
    values = {"overall_best": (99.6, 99.8, 99.7, 99.9, 99.5), "srn": (1.1, 1.4, 1.2), HOSTILE: (40.0,)}
    values |= {f"size[percent={percent},cell=lstm]": (3.0 * percent, 3.4 * percent) for percent in (1, 2, 4)}
    measured = tuple(
        Measured(
            row, "greedy", "exact_match", scores, tuple(range(1, len(scores) + 1)), None, signature, "test", "fp", True
        )
        for row, scores in values.items()
    )
    value = {"kind": "value", "score": "exact_match", "source": "Lake & Baroni 2018, section 4.1"}
    claims = {
        "best": {**value, "row": "overall_best", "published": 99.7, "tolerance": 0.5, "says": "The best solves it"},
        "srn": {**value, "row": "srn", "published": 1.0, "side": "at_most", "says": HOSTILE},
        "size": {**value, "row": "size[percent=4,cell=lstm]", "published": 12.5, "tolerance": 1, "source": HOSTILE},
        "more": {"kind": "trend", "rows": [f"size[percent={percent},cell=lstm]" for percent in (1, 2, 4)],
                 "direction": "rises", "says": "More data, better scores"},
        "open": {**value, "row": "attention", "published": 33, "tolerance": 2, "says": "Attention helps"},
    }  # fmt: skip
    cited = ("Lake and Baroni, ICML 2018", "https://arxiv.org/abs/1711.00350")
    about = "Batches in place of single pairs.\n\nFewer steps."
    return StudyView("Lake & Baroni 2018", *cited, about, tuple(judge(claims, measured)), measured)

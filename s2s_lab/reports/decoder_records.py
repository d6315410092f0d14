"""What a recorded evaluation says of each sentence, as arrays, each file read once."""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import signature_fields
from s2s_lab.records.evaluation import Evaluation

SAME_MODEL = ("data_fingerprint", "precision", "shortlist")
"""Facts of an evaluation that decide the probability of an output; those that a record does not name are off."""

BESIDE = ("together", "language_model", "wait_k")
"""Fields of a signature that say what decided it together with the model."""


@dataclass(frozen=True, eq=False)
class Sentences:
    """What an evaluation says of its sentences.

    Attributes:
        statistics: Score name -> (sentences, k) float64.
        found: (sentences,) log-probability of the best output.
        known: (sentences,) that of the most probable whole output known: of the n-best list, and the reference where
            it was scored; -inf where there is none.
        proved: Share of sentences whose output is proved to be the best; None where the strategy does not say.
    """

    statistics: dict[str, np.ndarray]
    found: np.ndarray
    known: np.ndarray
    proved: float | None


def read_sentences(evaluation: Evaluation) -> Sentences:
    """Read segments.jsonl, and nbest.jsonl where a record of before has the probabilities of whole outputs only there.

    Raises:
        RequestError: If they are damaged or not whole.
    """
    place = evaluation.folder / "segments.jsonl"
    segments = evaluation.segments()
    if not segments:
        raise RequestError(f"{place}: no sentence; expected at least one")
    statistics = {}
    for name in segments[0]["statistics"]:
        try:
            array = np.array([segment["statistics"][name] for segment in segments], dtype=np.float64)
        except (KeyError, ValueError, TypeError):
            raise RequestError(f"{place}: the statistics of {name} are not whole") from None
        if array.ndim == 2:
            statistics[name] = array
    found = _numbers([segment.get("log_prob") for segment in segments], f"{place}: log_prob")
    if "best_log_prob" in segments[0]:
        listed: list[Any] = [segment.get("best_log_prob") for segment in segments]
    else:
        listed = [_most_probable(hypotheses) for hypotheses in evaluation.nbest()]
    known = _numbers([-math.inf if value is None else value for value in listed], f"{place}: best_log_prob")
    if statistics.get("perplexity", np.empty((0, 0))).shape[1] == 2:
        known = np.maximum(known, statistics["perplexity"][:, 0])
    optimal = [segment.get("optimal") for segment in segments]
    proved = None if None in optimal else sum(value is True for value in optimal) / len(optimal)
    return Sentences(statistics, found, known, proved)


def model_key(evaluation: Evaluation) -> str:
    """Tell apart the models whose log-probabilities cannot be compared; of one run, on one split."""
    fields = signature_fields(str(evaluation.facts.get("signature")))
    known = [evaluation.facts.get(key) or None for key in SAME_MODEL]
    return json.dumps([*known, *(fields.get(key) for key in BESIDE)], sort_keys=True, default=str)


def _most_probable(hypotheses: list[dict[str, Any]]) -> Any:
    values: list[Any] = [item.get("log_prob") for item in hypotheses if item.get("finished")]
    wrong = [value for value in values if isinstance(value, bool) or not isinstance(value, int | float)]
    return wrong[0] if wrong else max(values, default=None)


def _numbers(values: list[Any], place: str) -> np.ndarray:
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        wrong = next(value for value in values if isinstance(value, bool) or not isinstance(value, int | float))
        raise RequestError(f"{place} is {wrong!r}, expected a number")
    return np.array(values, dtype=np.float64)

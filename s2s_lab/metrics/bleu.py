"""BLEU by sacrebleu, its arithmetic vectorised over resamples."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import ratio, signature_fields, signature_kind
from s2s_lab.metrics.ngram_pairs import Counts, NgramPairs
from s2s_lab.metrics.sacrebleu_statistics import SacrebleuMetric, check_option

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as SacrebleuScorer

ORDERS = 4
TOKENIZERS = ("13a", "intl", "char", "none", "zh", "ja-mecab", "ko-mecab")
SMOOTHING = {"exp": None, "floor": 0.1, "add-k": 1.0, "none": None}


class BLEU(SacrebleuMetric):
    """Geometric mean of the precisions of 1- to 4-grams times a brevity penalty, 0 to 100, of raw text.

    Paper: Papineni et al., 2002, ACL P02-1040; smoothing after Chen and Cherry, 2014, W14-3346; signature after Post,
    2018, arXiv 1804.08771. Statistics: [hypothesis length, closest reference length, matches x 4, totals x 4].

    Args:
        lowercase: Compare lower-cased text.
        tokenize: A tokenizer of sacrebleu that needs no download: "13a", "intl", "char", "none", "zh", "ja-mecab",
            "ko-mecab" (the last two need sacrebleu's extras).
        smooth_method: "exp", "floor", "add-k" or "none"; changes a corpus only if an order has no match at all.
        smooth_value: For "floor" (default 0.1) and "add-k" (default 1); at most two decimals, as the signature has.
        effective_order: Leave out orders longer than every hypothesis.
        name: What the score is called in tables.

    Raises:
        RequestError: Unknown tokenizer or smoothing, or a tokenizer whose packages are missing.
    """

    kind = "BLEU"
    higher_is_better = True
    num_statistics = 2 + 2 * ORDERS

    def __init__(
        self,
        *,
        lowercase: bool = False,
        tokenize: str = "13a",
        smooth_method: str = "exp",
        smooth_value: float | None = None,
        effective_order: bool = False,
        name: str = "bleu",
    ) -> None:
        check_option(name, "tokenize", tokenize, TOKENIZERS)
        check_option(name, "smooth_method", smooth_method, tuple(SMOOTHING))
        if smooth_value is not None and SMOOTHING[smooth_method] is None:
            raise RequestError(
                f"{name}: smooth_value is {smooth_value}, but {smooth_method!r} takes none; leave it out"
            )
        if smooth_value is not None and (smooth_value < 0 or round(smooth_value, 2) != smooth_value):
            raise RequestError(f"{name}: smooth_value is {smooth_value}; expected at least 0 with at most two decimals")
        self.lowercase = lowercase
        self.tokenize = tokenize
        self.smooth_method = smooth_method
        self.smooth_value = smooth_value
        self.effective_order = effective_order
        self.name = name

    def scorer(self) -> "SacrebleuScorer":
        """See SacrebleuMetric; text that looks tokenized is the matter of `quality_warnings`."""
        import sacrebleu.metrics.bleu

        try:
            return sacrebleu.metrics.bleu.BLEU(
                lowercase=self.lowercase,
                force=True,
                tokenize=self.tokenize,
                smooth_method=self.smooth_method,
                smooth_value=self.smooth_value,
                effective_order=self.effective_order,
            )
        except (ImportError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise RequestError(f"{self.name}: tokenize={self.tokenize} cannot be used here: {reason}") from error

    def pairs(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """See Metric; the n-grams of a line are counted once."""
        shared, totals = self._ngrams.shared(hypotheses, references), self._ngrams.totals(hypotheses)
        lengths = np.broadcast_to(totals[:, None, :1], (*shared.shape[:2], 1))
        closest = np.broadcast_to(self._ngrams.totals(references)[None, :, :1], lengths.shape)
        return np.concatenate((lengths, closest, shared, np.broadcast_to(totals[:, None], shared.shape)), axis=-1)

    @cached_property
    def _ngrams(self) -> NgramPairs:
        tokenize = cast(Any, self.scorer()).tokenizer

        def count(line: str) -> Counts:
            line = self.prepare(line)
            tokens = tokenize((line.lower() if self.lowercase else line).rstrip()).split()
            orders = range(1, ORDERS + 1)
            return tuple(Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)) for n in orders)

        return NgramPairs(count)

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        """See Aggregate; equals sacrebleu's `compute_bleu`."""
        summed = np.asarray(summed, dtype=np.float64)
        hypothesis_length, reference_length = summed[..., 0], summed[..., 1]
        matches, totals = summed[..., 2 : 2 + ORDERS], summed[..., 2 + ORDERS :]
        default = SMOOTHING[self.smooth_method]
        value = default if self.smooth_value is None else self.smooth_value
        some_match = matches.any(axis=-1)
        if self.smooth_method == "add-k":
            added = np.array([0.0] + [float(value or 0.0)] * (ORDERS - 1))
            matches, totals = matches + added, totals + added
        counted = np.logical_and.accumulate(totals > 0, axis=-1)  # (..., 4)
        missing = counted & (matches == 0)
        if self.smooth_method == "exp":
            smoothed = np.where(missing, 0.5 ** np.cumsum(missing, axis=-1), matches)
        elif self.smooth_method == "floor":
            smoothed = np.where(missing, float(value or 0.0), matches)
        else:
            smoothed = matches
        precisions = 100.0 * ratio(np.where(counted, smoothed, 0.0), totals, undefined=0.0)
        orders = np.maximum(counted.sum(axis=-1), 1) if self.effective_order else np.float64(ORDERS)
        included = counted if self.effective_order else np.ones_like(counted)
        positive = (np.where(included, precisions, 1.0) > 0).all(axis=-1) & some_match
        logs = np.log(np.where(included & (precisions > 0), precisions, 1.0)).sum(axis=-1)
        shortfall = np.minimum(1.0 - ratio(reference_length, hypothesis_length, undefined=1.0), 0.0)
        penalty = np.where(hypothesis_length > 0, np.exp(shortfall), np.where(reference_length > 0, 0.0, 1.0))
        return np.where(positive, penalty * np.exp(logs / orders), 0.0)

    @classmethod
    def from_signature(cls, name: str, signature: str) -> Self | None:
        """See Aggregate."""
        if signature_kind(signature) != cls.kind:
            return None
        fields = signature_fields(signature)
        method, _, value = fields.get("smooth", "exp").rstrip("]").partition("[")
        return cls(
            smooth_method=method,
            smooth_value=float(value) if value else None,
            effective_order=fields.get("eff") == "yes",
            name=name,
        )

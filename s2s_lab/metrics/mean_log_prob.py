"""How probable the model finds its outputs."""

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Aggregate, Score, signature_fields, signature_kind

Per = Literal["sentence", "token"]


class MeanLogProb(Aggregate):
    """Log-probability of the outputs, natural logarithm, for each sentence or token; eos included where it is produced.

    Statistics: [log-probability, 1 or tokens].

    Args:
        per: "sentence" or "token".
        name: What the score is called in tables; `log_prob` or `token_log_prob` by default.
    """

    kind = "mean_log_prob"
    higher_is_better = True

    def __init__(self, *, per: Per = "sentence", name: str | None = None) -> None:
        if per not in ("sentence", "token"):
            raise RequestError(f'mean_log_prob: per is {per!r}; expected "sentence" or "token"')
        self.per: Per = per
        self.name = ("log_prob" if per == "sentence" else "token_log_prob") if name is None else name

    def score(self, log_probs: Sequence[float] | np.ndarray, tokens: Sequence[int] | np.ndarray) -> Score:
        """Score the outputs of a corpus.

        Args:
            log_probs: (sentences,) natural logarithms.
            tokens: (sentences,) of each output, with its eos where it has one.

        Raises:
            RequestError: No sentence, or unequal counts.
        """
        found, counted = np.asarray(log_probs, dtype=np.float64), np.asarray(tokens, dtype=np.float64)
        if found.shape != counted.shape or found.ndim != 1 or not found.size:
            raise RequestError(
                f"{self.name}: {found.size} log-probabilities but {counted.size} numbers of tokens; expected one of "
                "each for each sentence, at least one"
            )
        statistics = np.stack([found, counted if self.per == "token" else np.ones(len(found))], axis=1)
        value = float(self.aggregate(statistics.sum(axis=0)))
        return Score(self.name, value, self.signature(), statistics, self.higher_is_better)

    def signature(self) -> str:
        """State everything that changes the number."""
        return f"{self.kind}|per:{self.per}|unit:nat|version:1"

    @classmethod
    def from_signature(cls, name: str, signature: str) -> Self | None:
        """See Aggregate."""
        if signature_kind(signature) != cls.kind:
            return None
        per = signature_fields(signature)["per"]
        return cls(per="token" if per == "token" else "sentence", name=name)

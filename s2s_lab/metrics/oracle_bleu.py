"""How good the outputs could be: the BLEU of the best one of each n-best list."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Aggregate, References, Score, check, count_references, signature_kind
from s2s_lab.metrics.bleu import BLEU

PREFIX = "oracle_"


class OracleBLEU(Aggregate):
    """BLEU of a corpus where each sentence's output is the one of its n-best list that has the best BLEU by itself.

    The BLEU of a single sentence, by which one is chosen, is smoothed and of the orders that the output has; of equally
    good ones the first is taken. The choice is made sentence by sentence, so another one may give a little more.
    Statistics: those of BLEU.

    Args:
        bleu: What is measured, with its treatment of case and words.
        name: What the score is called in tables.
    """

    kind = f"{PREFIX}BLEU"
    higher_is_better = True

    def __init__(self, *, bleu: BLEU | None = None, name: str = "oracle_bleu") -> None:
        self.bleu = BLEU() if bleu is None else bleu
        self.name = name

    def score(self, outputs: Sequence[Sequence[str]], references: References) -> Score:
        """Score a corpus of n-best lists.

        Args:
            outputs: For each sentence its n-best list, in any order.
            references: For each sentence its accepted references.

        Raises:
            RequestError: No sentence, unequal counts, or a sentence without output or reference.
        """
        check([found[0] if found else "" for found in outputs], references, name=self.name)
        if not all(outputs):
            number = next(number for number, found in enumerate(outputs, start=1) if not found)
            raise RequestError(f"{self.name}: sentence {number} has no output; expected at least one")
        distinct = [list(dict.fromkeys(found)) for found in outputs]
        lines = [line for found in distinct for line in found]
        accepted = [group for found, group in zip(distinct, references, strict=True) for _ in found]
        of_lines = self.bleu.count(lines, accepted)
        alone = BLEU(smooth_method="exp", effective_order=True).aggregate(of_lines)
        ends = np.cumsum([len(found) for found in distinct])
        chosen = [
            start + int(np.argmax(own)) for start, own in zip([0, *ends], np.split(alone, ends[:-1]), strict=False)
        ]
        statistics = of_lines[chosen]
        value = float(self.aggregate(statistics.sum(axis=0)))
        signature = self.signature(count_references(references))
        return Score(self.name, value, signature, statistics, self.higher_is_better)

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        """See Aggregate."""
        return self.bleu.aggregate(summed)

    def signature(self, num_references: int | None = 1) -> str:
        """State everything that changes the number: BLEU's own signature, and how an output is chosen."""
        return f"{PREFIX}{self.bleu.signature(num_references)}|chosen:sentence_bleu"

    @classmethod
    def from_signature(cls, name: str, signature: str) -> Self | None:
        """See Aggregate."""
        if signature_kind(signature) != cls.kind:
            return None
        bleu = BLEU.from_signature("bleu", signature.removeprefix(PREFIX))
        return cls(bleu=bleu, name=name)

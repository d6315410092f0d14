"""Sampling: symbols drawn from the model's distribution, or from a sharpened or restricted one."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from s2s_lab.decoding import filters, noise
from s2s_lab.decoding.checks import positive, whole_number
from s2s_lab.decoding.restrictions.base import Restriction
from s2s_lab.decoding.rowwise import RowwiseSearch
from s2s_lab.faults import RequestError


@dataclass(kw_only=True, eq=False)
class Sampling(RowwiseSearch):
    """Draws `num_samples` hypotheses for each sentence, independent of each other; equal ones are kept.

    Each symbol is drawn by one uniform number, a function of seed, sentence, sample and step alone, so that a
    sentence's samples are the same in any batch. The distribution is the model's, without forbidden ids, first
    sharpened by the temperature, then restricted to the `top_k` most probable symbols, then to the most
    probable ones that reach `top_p`, then by each `restriction` in turn, and renormalised. Log-probability and
    score are the model's own, as for any other strategy; samples are returned by it, best first, not in the order
    they were drawn in.

    Paper: Fan, Lewis, Dauphin 2018, arXiv 1805.04833 (top-k); Holtzman et al. 2020, arXiv 1904.09751 (top-p).

    Attributes:
        num_samples: hypotheses for each sentence, at least 1.
        temperature: above 0; 1 leaves the distribution as it is.
        top_k: at least 1; None restricts nothing.
        top_p: above 0 and at most 1; 1 restricts nothing.
        restriction: one or several, each seeing the distribution that the one before leaves, renormalised.
        seed: a whole number of at least 0.

    Raises:
        RequestError: an option is out of its range.
    """

    name = "sampling"

    num_samples: int = 1
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    restriction: Restriction | Sequence[Restriction] = ()
    seed: int = 1

    def __post_init__(self) -> None:
        """Checks the options."""
        super().__post_init__()
        self.num_hypotheses = whole_number("num_samples", self.num_samples, 1)
        positive("temperature", self.temperature)
        if self.top_k is not None:
            whole_number("top_k", self.top_k, 1)
        positive("top_p", self.top_p, 1)
        given = self.restriction
        self.restrictions = tuple(given) if isinstance(given, Sequence) else (given,)
        for each in self.restrictions:
            if not isinstance(each, Restriction):
                raise RequestError(f"decoding.restriction is {each!r}, expected a Restriction, such as TopK, or a list")
        whole_number("seed", self.seed, 0)

    def options(self) -> tuple[str, ...]:
        """Returns number, temperature, restrictions and seed."""
        return (
            f"samples:{self.num_hypotheses}",
            f"temperature:{self.temperature:g}",
            f"top_k:{'none' if self.top_k is None else self.top_k}",
            f"top_p:{self.top_p:g}",
            *(f"restriction:{each.signature()}" for each in self.restrictions),
            f"seed:{self.seed}",
        )

    def row_keys(self, sentence_index: Tensor) -> Tensor:
        """Gives each sample the key of its noise; see the base class."""
        return noise.sample_keys(self.seed, sentence_index, self.num_hypotheses)

    def choose(self, log_probs: Tensor, step: int, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Draws the next symbol of each row; see the base class."""
        uniforms = noise.uniform(keys, step)
        sharpened = filters.temperature(log_probs, self.temperature)
        if self.top_k is not None:
            values, ids = filters.top_k(sharpened, self.top_k)
            values = values if self.top_p == 1 else filters.top_p(values, self.top_p)
        elif self.top_p < 1:
            values, ids = filters.nucleus(sharpened, self.top_p)
        else:
            values, ids = sharpened, None
        for restriction in self.restrictions:
            values = restriction.restrict(values)
        drawn = filters.draw(values, uniforms).unsqueeze(1)
        drawn = drawn if ids is None else ids.gather(1, drawn)
        return log_probs.gather(1, drawn).squeeze(1), drawn.squeeze(1)

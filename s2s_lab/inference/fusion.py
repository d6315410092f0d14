"""Shallow fusion: a translation model that a language model helps to choose the next symbol."""

from typing import Any

from torch import Tensor

from s2s_lab.data.vocabulary import EOS
from s2s_lab.faults import RequestError
from s2s_lab.inference.view import Network, log_probs, with_rest_on_padding
from s2s_lab.models.seq2seq import Sources


class ShallowFusion:
    """A view of a network whose score of a symbol is log p + weight x log p of a language model.

    The language model reads no source, only the symbols so far. Scores are summed as they are, without being normalised
    anew at each step: what a step's symbols leave over of probability 1 goes to padding, which is never chosen. A
    hypothesis' log-probability is thus log p(y|x) + weight x log p(y).

    Paper: Gulcehre et al. 2015, arXiv 1503.03535, section 4.1. Deviation: none.

    Args:
        network: in eval mode.
        language_model: of the same target vocabulary, its sources ignored, on the same device.
        weight: above 0.

    Raises:
        RequestError: the weight is not above 0.
    """

    def __init__(self, network: Network, language_model: Network, *, weight: float) -> None:
        self.network = network
        self.language_model = language_model
        if not 0 < weight < float("inf"):
            raise RequestError(f"language_model_weight is {weight}, expected a number above 0")
        self.weight = weight

    def start(self, sources: Sources) -> tuple[Any, Any]:
        """Read the sources; the language model gets empty ones. See Network."""
        memory, state = self.network.start(sources)
        lengths = sources[0][1]
        nothing = lengths.new_full((len(lengths), 1), EOS)
        other_memory, other_state = self.language_model.start(((nothing, lengths.new_ones(len(lengths))),))
        return (memory, other_memory), (state, other_state)

    def step(self, previous_ids: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor | None]:
        """Make one step with both; see Network."""
        scores, following, weights = self.network.step(previous_ids, state[0], memory[0])
        others, other_following, _ = self.language_model.step(previous_ids, state[1], memory[1])
        fused = log_probs(scores).add_(log_probs(others), alpha=self.weight)
        return with_rest_on_padding(fused), (following, other_following), weights

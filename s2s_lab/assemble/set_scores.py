"""Scores that say how a strategy's outputs are, whatever the corpus's own metrics: length, variety, log-probability."""

from collections.abc import Iterable, Mapping, Sequence

from s2s_lab.inference.decode import Decoded
from s2s_lab.metrics.base import Metric, Score
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.distinct_n import DistinctN
from s2s_lab.metrics.empty_outputs import EmptyOutputs
from s2s_lab.metrics.length_ratio import LengthRatio
from s2s_lab.metrics.mean_log_prob import MeanLogProb
from s2s_lab.metrics.oracle_bleu import OracleBLEU
from s2s_lab.metrics.self_bleu import SelfBLEU


def scores_of_outputs(
    decoded: Decoded,
    texts: Sequence[Sequence[str]],
    references: Sequence[tuple[str, ...]],
    metrics: Mapping[str, Metric],
    *,
    own_log_probs: bool,
) -> list[Score]:
    """Scores the outputs of a strategy.

    Args:
        decoded: what the strategy gave.
        texts: for each sentence its n-best list as text.
        references: for each sentence its accepted references.
        metrics: the configured ones; the oracle's BLEU is theirs where they have one.
        own_log_probs: whether the log-probabilities are the model's own; over a shortlist they are not.

    Returns:
        Length ratio, empty outputs and distinct 1- and 2-grams of the best outputs; their mean log-probability; and
        BLEU of the n-best lists among themselves and of their best, where a sentence has several outputs.
    """
    best = [found[0] for found in texts]
    scores = [LengthRatio().score(best, references), EmptyOutputs().score(best, references)]
    scores += [DistinctN(order=order).score(best) for order in (1, 2)]
    if own_log_probs:
        log_probs = [found.log_prob for found in decoded.best]
        tokens = [len(found.ids) + found.finished for found in decoded.best]
        scores += [MeanLogProb(per="sentence").score(log_probs, tokens)]
        scores += [MeanLogProb(per="token").score(log_probs, tokens)]
    if any(len(found) > 1 for found in texts):
        scores += [SelfBLEU().score(texts), OracleBLEU(bleu=_bleu(metrics.values())).score(texts, references)]
    taken = {metric.name for metric in metrics.values()}
    return [score for score in scores if score.name not in taken]


def _bleu(metrics: Iterable[Metric]) -> BLEU:
    return next((metric for metric in metrics if type(metric) is BLEU), BLEU())

"""Scores that count a vocabulary's tokens, and so cannot be compared across vocabularies."""

from collections.abc import Iterable

from s2s_lab.metrics.base import signature_fields, signature_kind


def counts_tokens(signature: str) -> bool:
    """Tell whether a score is the mean of a probability over tokens."""
    kind = signature_kind(signature)
    return kind == "perplexity" or (kind == "mean_log_prob" and signature_fields(signature).get("per") == "token")


def several_vocabularies(signatures: Iterable[str]) -> bool:
    """Tell whether scores were measured over different vocabularies, of which signatures of perplexity tell."""
    told = (signature for signature in signatures if signature_kind(signature) == "perplexity")
    return len({signature_fields(signature).get("vocabulary") for signature in told}) > 1

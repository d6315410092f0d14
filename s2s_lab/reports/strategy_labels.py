"""Names of decoding strategies that tell apart what differs, and no more than that."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from s2s_lab.records.configuration import differing_keys
from s2s_lab.records.evaluation import Evaluation
from s2s_lab.reports.runs import short

SETTINGS = ("configuration", "constraint")
"""Facts that hold settings of a strategy."""
TOGETHER = ("together", "language_model", "rerank")
"""Fields of a signature that name models which decode or judge beside the run's own."""
MODEL = re.compile(r"\b[0-9a-f]{12}\b")
"""How they name one."""


def strategy_labels(evaluations: Sequence[Evaluation]) -> list[str]:
    """Name strategies; where one name stands for several settings, add what differs of them.

    That is fields of the signature, arithmetic, shortlist, what outputs had to hold and whether unknown words were
    replaced; where a run has two evaluations that all of this does not tell apart, any other setting of theirs. Which
    models decoded beside a run's own is such a setting: each seed has its own companions.
    """
    identities = [
        (str(item.facts["strategy"]), _without_models(_signature(item)), str(item.facts.get("precision")))
        for item in evaluations
    ]
    shortlists = [item.facts.get("shortlist") or {} for item in evaluations]
    labels = []
    for own, (name, signature, precision), shortlist in zip(evaluations, identities, shortlists, strict=True):
        same = {(other, kind) for title, other, kind in identities if title == name}
        fields = [set(other.split("|")) for other, _ in same]
        shared = set.intersection(*fields)
        parts = [part.replace(":", " ") for part in signature.split("|") if part not in shared]
        parts += [precision] if len({kind for _, kind in same}) > 1 else []
        others = [other for (title, _, _), other in zip(identities, shortlists, strict=True) if title == name]
        parts += _shortlist_parts(shortlist, others)
        parts += _demand_parts(own, [item for item in evaluations if item.facts["strategy"] == own.facts["strategy"]])
        labels.append(f"{name} ({', '.join(parts)})" if parts else name)
    return _told_apart(evaluations, labels)


def _demand_parts(own: Evaluation, others: Sequence[Evaluation]) -> list[str]:
    """Say what the outputs had to hold, by the digest of each file, and that unknown words were replaced."""
    demands: Mapping[str, str] = own.facts.get("demands") or {}
    parts = [
        f"{key} {digest[:8]}"
        for key, digest in sorted(demands.items())
        if any((other.facts.get("demands") or {}).get(key) != digest for other in others)
    ]
    replaced = own.facts.get("replace_unknown") and not all(other.facts.get("replace_unknown") for other in others)
    return [*parts, "unknown words replaced"] if replaced else parts


def _told_apart(evaluations: Sequence[Evaluation], labels: Sequence[str]) -> list[str]:
    """Add to labels that two evaluations of one run share those of their settings that differ."""
    groups: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        groups.setdefault(label, []).append(place)
    told = list(labels)
    for label, places in groups.items():
        if len({evaluations[place].folder.parent for place in places}) == len(places):
            continue
        settings = [{key: evaluations[place].facts.get(key) or {} for key in SETTINGS} for place in places]
        for own, place in zip(settings, places, strict=True):
            own["with"] = ",".join(_models(_signature(evaluations[place])))
        differing = differing_keys(settings)
        for at, place in enumerate(places):
            parts = [f"{key.rsplit('.', 1)[-1]} {short(values[at])}" for key, values in differing.items()]
            told[place] = f"{label} ({', '.join(parts)})" if parts else label
    return told


def _signature(evaluation: Evaluation) -> str:
    return str(evaluation.facts.get("signature"))


def _models(signature: str) -> list[str]:
    """Give the digests of the models that decoded beside the run's own."""
    fields = [part for part in signature.split("|") if part.partition(":")[0] in TOGETHER]
    return [digest for part in fields for digest in MODEL.findall(part)]


def _without_models(signature: str) -> str:
    digests = _models(signature)
    for digest in digests:
        signature = signature.replace(f",{digest}", "", 1)
    return f"{signature}|{len(digests) + 1} models" if len(digests) > 1 else signature


def _shortlist_parts(own: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say that there is a shortlist where others have none, and the settings that another one has different."""
    if not own or all(other == own for other in others):
        return []
    differing = [key for key in own if any(other and other.get(key) != own[key] for other in others)]
    return [" ".join(("shortlist", *(f"{key} {own[key]}" for key in differing)))]

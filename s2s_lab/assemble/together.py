"""What decodes or judges together with a run's model: further runs, a language model, rerankers, a waiting reader."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from s2s_lab.assemble.inference import read_model
from s2s_lab.data.batch import Batch
from s2s_lab.data.corpora.files import sha256_of
from s2s_lab.faults import RequestError
from s2s_lab.inference.decode import Decoded
from s2s_lab.inference.ensemble import Ensemble, check_weights
from s2s_lab.inference.frozen import WEIGHTS, FrozenModel
from s2s_lab.inference.fusion import ShallowFusion
from s2s_lab.inference.rerank import KINDS, Reranker, rerank
from s2s_lab.inference.score import score_by_steps, score_targets
from s2s_lab.inference.text import TextSide
from s2s_lab.inference.view import Network
from s2s_lab.inference.wait_k import WaitK, delays
from s2s_lab.metrics.average_lagging import AverageLagging
from s2s_lab.metrics.base import Score

NO_ENCODER = "s2s_lab.models.encoders.nothing.NoEncoder"
DIGITS = 12  # of a model's sha256 that are shown
Load = Callable[[Path], FrozenModel]


@dataclass(frozen=True)
class Together:
    """A run's model with all that the settings put beside it; the model alone where they say nothing.

    Attributes:
        model: of the run.
        network: what is decoded with: the model's own network, or a view of several.
        rerankers: judge the n-best lists.
        wait_k: source positions read before the first symbol, or None.
        normalised: whether the probabilities of a step's symbols sum to 1, as perplexity asks for.
        device: where all models are.
        sentences: in a batch.
    """

    model: FrozenModel
    network: Network
    rerankers: tuple[Reranker, ...]
    wait_k: int | None
    normalised: bool
    device: torch.device
    sentences: int

    def reranked(self, decoded: Decoded, sources: Sequence[str]) -> Decoded:
        """The n-best lists as the rerankers sort them; `sources` are raw lines by sentence index."""
        if not self.rerankers:
            return decoded
        side = self.model.target
        return rerank(decoded, sources, side, self.rerankers, device=self.device, sentences=self.sentences)

    def likelihoods(self, batches: Iterable[Batch]) -> dict[int, tuple[float, int]]:
        """Log-probability and length of each target, as what is decoded with gives them."""
        if self.network is self.model.network:
            return score_targets(self.model.network, batches, device=self.device)
        return score_by_steps(self.network, batches, device=self.device)

    def scores(self, source_ids: Sequence[Sequence[int]], decoded: Decoded) -> list[Score]:
        """Scores that only such a decoding has: the lag of a simultaneous reader."""
        if self.wait_k is None:
            return []
        written = [len(best.ids) + best.finished for best in decoded.best]
        lengths = [len(ids) for ids in source_ids]
        read = [delays(length, symbols, self.wait_k) for length, symbols in zip(lengths, written, strict=True)]
        return [AverageLagging().score(read, lengths)]


def digest(run: Path) -> str:
    """Tells a model from all others: the beginning of the sha256 of its weights.

    Raises:
        RequestError: the run has no model.
    """
    place, _ = read_model(run)
    return sha256_of(place / WEIGHTS)[:DIGITS]


def with_parts(signature: str, settings: Mapping[str, Any], *, named: Callable[[Path], str] = digest) -> str:
    """Adds to a strategy's signature all that is beside the model and decides the output, without places.

    Args:
        signature: of the strategy.
        settings: plain conf/evaluate.yaml or conf/translate.yaml.
        named: says which model a run is.

    Raises:
        RequestError: a model that is named cannot be read, or the weights do not fit the runs that are named.
    """
    parts = dict[str, str]()
    _check_weights(settings)
    if settings.get("together"):
        weights = settings.get("together_weights")
        shown = "equal" if weights is None else ",".join(f"{weight:g}" for weight in weights)
        members = ",".join(map(named, _paths("together", settings["together"])))
        parts["together"] = f"{settings['together_mean']},{shown},{members}"
    if settings.get("wait_k") is not None:
        parts["wait_k"] = str(settings["wait_k"])
    if settings.get("language_model") is not None:
        weight = settings["language_model_weight"]
        parts["language_model"] = f"{weight:g},{named(Path(settings['language_model']))}"
    if settings.get("rerank"):
        nodes = _checked_rerankers(settings["rerank"])
        parts["rerank"] = ";".join(f"{n['kind']},{n['weight']:g},{named(Path(n['run']))}" for n in nodes)
    return "|".join((signature, *(f"{name}:{value}" for name, value in parts.items())))


def runs_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Gives what the settings put beside the model, with the runs they name; empty where they put nothing."""
    runs = dict[str, Any]()
    if settings.get("together"):
        runs["together"] = [str(path) for path in settings["together"]]
    if settings.get("wait_k") is not None:
        runs["wait_k"] = settings["wait_k"]
    if settings.get("language_model") is not None:
        runs["language_model"] = {"run": str(settings["language_model"]), "weight": settings["language_model_weight"]}
    if settings.get("rerank"):
        runs["rerank"] = [dict(node) for node in settings["rerank"]]
    return runs


def together_of(
    settings: Mapping[str, Any], run: Path, model: FrozenModel, *, load: Load, device: torch.device
) -> Together:
    """Reads what the settings name beside a run's model.

    Args:
        settings: plain conf/evaluate.yaml or conf/translate.yaml.
        run: the run or model folder of `model`, for messages.
        model: of the run.
        load: reads the model of a run or model folder, ready to decode on `device`.
        device: where the models are.

    Raises:
        RequestError: a run has no model, the models do not fit together, or a value is not what it has to be.
    """
    network: Network = model.network
    normalised = True
    _check_weights(settings)
    if settings.get("together"):
        others = _paths("together", settings["together"])
        members = [load(path) for path in others]
        for path, member in zip(others, members, strict=True):
            for side in ("source", "target"):
                _check_same(side, f"together: {path}", member, run, model)
        weights, mean = settings.get("together_weights"), settings["together_mean"]
        ensemble = Ensemble([model.network, *(member.network for member in members)], weights=weights, mean=mean)
        network, normalised = ensemble, mean == "probabilities"
    if settings.get("wait_k") is not None:
        if model.source.num_sources > 1:
            raise RequestError(f"wait_k={settings['wait_k']}: {run} reads several sources, expected a model of one")
        network = WaitK(network, settings["wait_k"])
    if settings.get("language_model") is not None:
        path, weight = Path(settings["language_model"]), settings["language_model_weight"]
        language_model = load(path)
        if language_model.configuration["encoder"].get("_target_") != NO_ENCODER:
            raise RequestError(f"language_model={path}: that model reads a source, expected a run of model=lm")
        _check_same("target", f"language_model={path}", language_model, run, model)
        network, normalised = ShallowFusion(network, language_model.network, weight=weight), False
    if settings.get("shortlist") and network is not model.network:
        raise RequestError("shortlist=true serves one network; leave out together, language_model and wait_k")
    if network is not model.network and model.network.output.copies_unknown:
        raise RequestError(
            f"{run}: its output copies words that no vocabulary holds; leave out together, language_model and wait_k"
        )
    nodes = _checked_rerankers(settings.get("rerank") or [])
    rerankers = tuple(Reranker(load(Path(node["run"])), node["kind"], float(node["weight"])) for node in nodes)
    for node, reranker in zip(nodes, rerankers, strict=True):
        given = model.source.num_sources if reranker.kind == "same" else 1
        if reranker.model.source.num_sources != given or (reranker.kind != "same" and model.source.num_sources > 1):
            raise RequestError(
                f"rerank: {node['run']} reads {reranker.model.source.num_sources} sources for a target and {run} "
                f"{model.source.num_sources}; expected kind=same with as many, or one source on both sides"
            )
    return Together(
        model=model,
        network=network,
        rerankers=rerankers,
        wait_k=settings.get("wait_k"),
        normalised=normalised,
        device=device,
        sentences=settings["batch_sentences"],
    )


def _paths(key: str, named: Any) -> list[Path]:
    if not all(isinstance(each, str) and each for each in named):
        raise RequestError(f"{key}={named}: run folders are expected")
    return [Path(each) for each in named]


def _checked_rerankers(nodes: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
    """Checks what `rerank` names.

    Raises:
        RequestError: it is not what it has to be.
    """
    for node in nodes:
        keys = set(node) if isinstance(node, Mapping) else set()
        if keys != {"run", "kind", "weight"}:
            raise RequestError(f"rerank: {node!r}, expected {{run: DIR, kind: KIND, weight: NUMBER}}")
        if not isinstance(node["run"], str):
            raise RequestError(f"rerank.run is {node['run']!r}, expected a run folder")
        if node["kind"] not in KINDS:
            raise RequestError(f"rerank.kind is {node['kind']!r}, expected one of {', '.join(KINDS)}")
        if isinstance(node["weight"], bool) or not isinstance(node["weight"], int | float):
            raise RequestError(f"rerank.weight is {node['weight']!r}, expected a number")
    return nodes


def _check_same(side: str, place: str, other: FrozenModel, run: Path, model: FrozenModel) -> None:
    """Refuses a model whose ids stand for other text than those of the run's model.

    Raises:
        RequestError: naming both.
    """
    one: TextSide = getattr(model, side)
    two: TextSide = getattr(other, side)
    if one.num_sources != two.num_sources:
        raise RequestError(f"{place}: it reads {two.num_sources} sources for a target and {run} {one.num_sources}")
    if one.vocabulary.tokens != two.vocabulary.tokens:
        raise RequestError(f"{place}: its {side} vocabulary is not that of {run}; the same one is expected")
    tokens = [
        (type(text.tokenizer).__name__, text.tokenizer.configuration(), text.tokenizer.state()) for text in (one, two)
    ]
    if tokens[0] != tokens[1]:
        raise RequestError(f"{place}: its {side}s are tokenized otherwise than those of {run}; the same is expected")


def _check_weights(settings: Mapping[str, Any]) -> None:
    weights, together = settings.get("together_weights"), settings.get("together")
    if weights is not None and not together:
        raise RequestError("together_weights is set, but together names no run")
    if weights is not None and together:
        check_weights(weights, 1 + len(together))

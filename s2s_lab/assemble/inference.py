"""Rebuilds a frozen model, its strategy and its metrics from plain configuration."""

import dataclasses
import functools
import hashlib
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from s2s_lab.assemble.instantiation import build, check_kind
from s2s_lab.assemble.network import build_network, without_memory
from s2s_lab.data.prepared import Given
from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.vocabulary import BOS, EOS, PAD, Vocabulary
from s2s_lab.decoding.base import DecodingStrategy
from s2s_lab.decoding.constraints.base import Constraint
from s2s_lab.faults import RequestError
from s2s_lab.inference.copied_words import copying_sides
from s2s_lab.inference.folder import check_links, check_sums
from s2s_lab.inference.frozen import CONFIGURATION, FrozenModel, check_weights, load_weights
from s2s_lab.inference.packed import pack, quantize
from s2s_lab.inference.text import TextSide
from s2s_lab.inference.utility import TextUtility
from s2s_lab.metrics.base import Metric
from s2s_lab.models.seq2seq import Seq2Seq
from s2s_lab.records.run_folder import read_configuration

MODEL_KEYS = (
    "cell", "encoder", "bridge", "attention", "decoder", "embedding", "output", "initialization",
    "tokenizer", "source_tokenizer", "target_tokenizer", "data",
)  # fmt: skip
CHOSEN_KEYS = ("transition", "cell_dropout", "sources")
"""Sections of a model that are there only where something is chosen."""
FLOAT_TYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}
LEFT_TO_TORCH = {"_target_": "s2s_lab.models.initialization.torch_default.TorchDefaultInitialization"}


def load_model(folder: Path, *, device: torch.device, precision: str = "float32") -> FrozenModel:
    """Rebuilds the model of a run folder or of its model/ folder, in eval mode, ready to decode fast.

    Args:
        folder: run folder, or a model folder alone.
        device: where the network goes.
        precision: `int8`, or the float type of its parameters, a key of FLOAT_TYPES.

    Raises:
        RequestError: if something is missing, damaged, or outside the allow-list, or `int8` is asked of a GPU.
    """
    place, settings = read_model(folder)
    source, target = text_sides(place, settings)
    shared = bool(settings["data"]["vocabulary"]["shared"])
    own = {**settings, "initialization": LEFT_TO_TORCH}
    network_of = functools.partial(
        build_network,
        own,
        source_size=len(source.vocabulary),
        target_size=len(target.vocabulary),
        shared=shared,
        factor_sizes=source.tokenizer.factor_sizes(),
    )
    with without_memory():
        check_weights(network_of(), place)
    network = network_of()
    load_weights(network, place)
    check_sums(place)
    _make_fast(network, device, precision)
    if network.output.copies_unknown:
        source, target = copying_sides(source, target)
    return FrozenModel(network=network, source=source, target=target, configuration=settings, shared=shared)


def read_model(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The model folder of a run folder, or the folder itself if it is one, and the plain settings in it.

    Raises:
        RequestError: if there is no model, or its settings are not whole.
    """
    place = model_place(folder)
    if not place.is_dir():
        raise RequestError(f"{folder}: no model in it; a run folder with model/ or a model folder is expected")
    check_links(place, folder)
    settings = read_configuration(place / CONFIGURATION)
    _check_sections(settings, place / CONFIGURATION)
    return place, settings


def text_sides(place: Path, settings: Mapping[str, Any]) -> tuple[TextSide, TextSide]:
    """Tokenizers and vocabularies of source and target, from a model folder and its settings."""
    shared = bool(settings["data"]["vocabulary"]["shared"])
    source, target = (
        _load_side(place, "shared" if shared else side, tokenizer_node(settings, side)) for side in ("source", "target")
    )
    return dataclasses.replace(source, num_sources=num_sources_of(settings)), target


def num_sources_of(settings: Mapping[str, Any]) -> int:
    """Sources that a model reads for each target, from its settings.

    Raises:
        RequestError: if their number is none.
    """
    if "sources" not in settings:
        return 1
    found = settings["sources"].get("num_sources", 2)
    if isinstance(found, bool) or not isinstance(found, int) or found < 2:
        raise RequestError(f"sources.num_sources={reprlib.repr(found)}: a whole number of at least 2 is expected")
    return found


def given_sides(folder: Path) -> Given:
    """The text sides of a run or model folder, for a training that starts from its weights."""
    place, settings = read_model(folder)
    check_sums(place)
    source, target = text_sides(place, settings)
    files = sorted(path for path in place.iterdir() if path.name.partition(".")[0] in ("shared", "source", "target"))
    digest = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()
    shared = bool(settings["data"]["vocabulary"]["shared"])
    return Given(
        tokenizers=(target.tokenizer if shared else source.tokenizer, target.tokenizer),
        vocabularies=(target.vocabulary if shared else source.vocabulary, target.vocabulary),
        digest=digest,
    )


def given_of(settings: Mapping[str, Any]) -> Given | None:
    """The text sides that a training takes from `init` or `data.vocabulary_from`; None where it makes its own.

    Where the training's sides are one and the other run's two, both are that run's target.
    """
    if settings.get("init"):
        return given_sides(Path(settings["init"]))
    if not settings["data"].get("vocabulary_from"):
        return None
    given = given_sides(Path(settings["data"]["vocabulary_from"]))
    if not settings["data"]["vocabulary"]["shared"]:
        return given
    return dataclasses.replace(given, tokenizers=given.tokenizers[1:] * 2, vocabularies=given.vocabularies[1:] * 2)


def model_place(folder: Path) -> Path:
    """The model folder that a run folder or a model folder names; it may be missing."""
    is_run = (folder / "model").is_dir() or (folder / "run.json").is_file()
    return folder if (folder / CONFIGURATION).is_file() and not is_run else folder / "model"


def _check_sections(settings: Mapping[str, Any], path: Path) -> None:
    """Looks that the configuration of a model has all sections.

    Raises:
        RequestError: if one is missing or is no section.
    """
    for key in (*MODEL_KEYS, *CHOSEN_KEYS):
        if key.endswith("_tokenizer") or (key in CHOSEN_KEYS and key not in settings):
            continue
        if key not in settings:
            raise RequestError(f"{path}: {key} is missing; the configuration of a model is expected")
        if not isinstance(settings[key], Mapping):
            raise RequestError(f"{path}: {key} is {reprlib.repr(settings[key])}; a section with keys is expected")
    vocabulary = settings["data"].get("vocabulary")
    shared = vocabulary.get("shared") if isinstance(vocabulary, Mapping) else None
    if not isinstance(shared, bool):
        raise RequestError(f"{path}: data.vocabulary.shared is {reprlib.repr(shared)}; true or false is expected")


def _make_fast(network: Seq2Seq, device: torch.device, precision: str) -> None:
    on_cpu = device.type == "cpu"
    if precision == "int8" and not on_cpu:
        raise RequestError("precision=int8: on the CPU alone; accelerator=cpu, or precision=bfloat16 on a GPU")
    network.to(device=device, dtype=FLOAT_TYPES.get(precision, torch.float32)).eval()
    if precision == "int8":
        quantize(network)
    elif on_cpu and precision != "float64" and torch.get_float32_matmul_precision() != "highest":
        pack(network)


def tokenizer_node(settings: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    """The tokenizer's node of one side: its own where it has one, else the common one."""
    return settings.get(f"{side}_tokenizer") or settings["tokenizer"]


def build_strategy(
    node: Mapping[str, Any],
    constraint: Mapping[str, Any] | None = None,
    in_ids: Mapping[str, Mapping[str, Any]] | None = None,
    target: TextSide | None = None,
) -> DecodingStrategy:
    """Builds a decoding strategy for the vocabulary's special ids.

    Args:
        node: the strategy's; its `utility`, if any, is a metric's.
        constraint: nodes of constraints by name; they are applied in this order.
        in_ids: further arguments of constraints by name: what their texts and files say, in ids. Without them a
            strategy has its signature, but such a constraint decodes nothing.
        target: writes the texts that a utility compares; None where nothing is decoded.
    """
    check_kind(node, DecodingStrategy, "decoding")
    for name, each in (constraint or {}).items():
        check_kind(each, Constraint, f"constraint.{name}")
    constraints = tuple(
        _constraint(name, each, (in_ids or {}).get(name, {})) for name, each in (constraint or {}).items()
    )
    settings = {**node, "_partial_": True}
    special: dict[str, Any] = {"bos": BOS, "eos": EOS, "banned": (PAD, BOS)}
    if "utility" in settings:
        utility = settings.pop("utility")
        check_kind(utility, Metric, "decoding.utility")
        special["utility"] = TextUtility(build(utility, "decoding.utility"), target)
    return build(settings, "decoding", **special, constraints=constraints)


def _constraint(name: str, node: Mapping[str, Any], in_ids: Mapping[str, Any]) -> Constraint:
    """Builds a constraint; a partial node's gets the id of eos, and each what its texts are in ids."""
    special = {"eos": EOS} if node.get("_partial_") else {}
    return build({**node, "_partial_": bool(special or in_ids)}, f"constraint.{name}", **special, **in_ids)


def build_metrics(node: Mapping[str, Any]) -> dict[str, Metric]:
    """Builds the metrics of a `metrics` section, by name.

    Raises:
        RequestError: if it has no scores, or one of them is no metric.
    """
    scores = node.get("scores") if isinstance(node, Mapping) else None
    if not isinstance(scores, Mapping):
        raise RequestError(f"metrics.scores={reprlib.repr(scores)}: a section with metrics by name is expected")
    for name, metric in scores.items():
        if metric:
            check_kind(metric, Metric, f"metrics.scores.{name}")
    return {name: build(metric, f"metrics.scores.{name}") for name, metric in scores.items() if metric}


def choose_device(accelerator: str) -> torch.device:
    """The device of a command: `auto` takes a GPU where there is one.

    Raises:
        RequestError: if a GPU is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if accelerator == "gpu" and not available:
        raise RequestError("accelerator=gpu: this machine has no CUDA device")
    return torch.device("cuda" if available and accelerator != "cpu" else "cpu")


def _load_side(folder: Path, name: str, node: Mapping[str, Any]) -> TextSide:
    check_kind(node, Tokenizer, "tokenizer")
    with torch.device("meta"):
        tokenizer = build(node, "tokenizer")
    tokenizer.load(folder, name)
    return TextSide(tokenizer, Vocabulary.load(folder / f"{name}.vocabulary.txt"))

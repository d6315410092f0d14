"""Freezes a composed training configuration: fixes all that time or chance decides and writes it into a run folder."""

import copy
import hashlib
import importlib.util
import json
import shlex
from pathlib import Path
from typing import Any

from omegaconf import ListConfig, OmegaConf

from s2s_lab.assemble.callbacks import more_callbacks
from s2s_lab.assemble.configuration import choices, plain, without_later_keys
from s2s_lab.assemble.devices import check_devices
from s2s_lab.assemble.inference import (
    build_metrics,
    build_strategy,
    given_of,
    given_sides,
    read_model,
    tokenizer_node,
)
from s2s_lab.assemble.instantiation import build, check_kind, locate, refusing
from s2s_lab.assemble.network import build_network, without_memory
from s2s_lab.assemble.vectors import VECTORS, check_vector_files
from s2s_lab.data.corpora.base import Corpus
from s2s_lab.data.corpora.files import sha256_of
from s2s_lab.data.prepared import Given
from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.vocabulary import NUM_SPECIALS
from s2s_lab.faults import RequestError
from s2s_lab.inference.frozen import WEIGHTS, check_weights
from s2s_lab.records.configuration import configuration_hash
from s2s_lab.records.environment import machine
from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder

PLACES_OF_DATA = tuple(
    f"{node}.{key}" for node in ("data", "data.corpus") for key in ("train", "validation", "test", "root")
)
NOT_OF_THE_JOB = (
    "paths", "logger", "callbacks.progress", "name", "experiment_name", "trainer.num_threads",
    "trainer.try_largest_batch", "job", "launch", "resume", "accept_changed_data", *PLACES_OF_DATA,
)  # fmt: skip
NOT_OF_THE_ROW = (*NOT_OF_THE_JOB, "seed")


def check_parts(configuration: Any) -> None:
    """Builds what a job needs without reading its data: all its parts, the network on the meta device.

    Args:
        configuration: a composed and checked training configuration (DictConfig).

    Raises:
        RequestError: if a file is missing, a value is out of its range, or two parts cannot be combined.
    """
    with refusing("paths"):
        settings = with_absolute_paths(configuration)
    _check_experiment_name(settings["experiment_name"])
    if settings["launch"]:
        check_devices(settings["trainer"])
    if settings["trainer"]["max_epochs"] is None and settings["trainer"]["max_steps"] < 1:
        raise RequestError("trainer.max_steps or trainer.max_epochs must be at least 1")
    check_kind(settings["data"]["corpus"], Corpus, "data.corpus")
    corpus = build(settings["data"]["corpus"], "data.corpus")
    for side in ("source", "target"):
        check_kind(tokenizer_node(settings, side), Tokenizer, "tokenizer")
    source, target = (build(tokenizer_node(settings, side), "tokenizer") for side in ("source", "target"))
    shared = settings["data"]["vocabulary"]["shared"]
    given = _check_given(settings) if settings["init"] else _check_vocabulary(settings)
    sizes = [len(side) for side in given.vocabularies] if given else [NUM_SPECIALS + 1] * 2
    factors = given.tokenizers[0].factor_sizes() if given else (NUM_SPECIALS + 1,) * source.num_factors
    if target.num_factors:
        raise RequestError(
            "the target's tokenizer gives factors, which sources alone can have; expected "
            "tokenizer@source_tokenizer=factored_bpe (or another) beside an ordinary tokenizer, and "
            "data.vocabulary.shared=false"
        )
    with without_memory():
        network = build_network(
            settings, source_size=sizes[0], target_size=sizes[1], shared=shared, factor_sizes=factors
        )
    _check_sources(corpus, network)
    check_vector_files(network)
    _check_memory(network)
    if settings["init"]:
        check_weights(network, read_model(Path(settings["init"]))[0])
    build(settings["objective"], "objective").check(network)
    for name in ("learning_rate", "teacher_forcing"):
        build(settings[name], name)
    if "targets" in (strategy := build_strategy(settings["decoding"])).meets:
        raise RequestError(f"decoding={strategy.name}: it scores given outputs, expected one that finds them")
    build_metrics(settings["metrics"])
    _check_optimizer(settings)
    _check_extras(settings["logger"])
    more_callbacks(settings)
    monitor, scores = settings["metrics"]["monitor"], [*settings["metrics"]["scores"], "loss"]
    if monitor not in scores:
        raise RequestError(f"metrics.monitor={monitor}: one of {', '.join(scores)} is expected")


def _check_sources(corpus: Corpus, network: Any) -> None:
    """Refuses an encoder that reads more or fewer sources than the corpus has for each target."""
    has, reads = corpus.num_sources, network.encoder.num_sources
    if has != reads:
        fitting = f"sources=several sources.num_sources={has}" if has > 1 else "sources=one, or data.source=[ONE,TWO]"
        raise RequestError(
            f"data={corpus.name} has {has} source{'s' * (has > 1)} for each target, but the encoder reads {reads}; "
            f"expected {fitting}"
        )


def _check_given(settings: dict[str, Any]) -> Given:
    """The text sides that `init` brings; the job's own settings have to say the same of them."""
    _, theirs = read_model(Path(settings["init"]))
    for side in ("source", "target"):
        own, given = dict(tokenizer_node(settings, side)), dict(tokenizer_node(theirs, side))
        if own != given:
            raise RequestError(
                f"init={settings['init']}: its {side}s are tokenized by {given['_target_'].rpartition('.')[2]} with "
                f"other settings than this job's; choose the tokenizer it was trained with"
            )
    if settings["data"]["vocabulary"]["shared"] != theirs["data"]["vocabulary"]["shared"]:
        raise RequestError(f"init={settings['init']}: data.vocabulary.shared differs from this job's")
    return given_sides(Path(settings["init"]))


def _check_vocabulary(settings: dict[str, Any]) -> Given | None:
    """The text sides that `data.vocabulary_from` brings; the job's tokenizers have to be those they were made with."""
    place = settings["data"].get("vocabulary_from")
    if not place:
        return None
    _, theirs = read_model(Path(place))
    own_shared, shared = settings["data"]["vocabulary"]["shared"], theirs["data"]["vocabulary"]["shared"]
    if shared and not own_shared:
        raise RequestError(f"data.vocabulary_from={place}: its sides share one vocabulary, this job's do not")
    for side in ("source", "target"):
        given = dict(tokenizer_node(theirs, "target" if own_shared else side))
        if dict(tokenizer_node(settings, side)) != given:
            raise RequestError(
                f"data.vocabulary_from={place}: its text is tokenized by {given['_target_'].rpartition('.')[2]} with "
                "other settings than this job's; choose the tokenizer it was trained with"
            )
    return given_of(settings)


def _check_optimizer(settings: dict[str, Any]) -> None:
    """Builds the optimizer over one parameter: torch checks its values."""
    import torch

    clip = settings["trainer"]["gradient_clip"]
    if clip is not None and not clip > 0.0:
        raise RequestError(f"trainer.gradient_clip={clip}: a number above 0 is expected, or null for none")
    values = {key: value for key, value in settings["optimizer"].items() if not key.startswith("_")}
    try:
        build(settings["optimizer"], "optimizer", params=[torch.nn.Parameter(torch.zeros(1))])
    except RequestError as error:
        given = ", ".join(
            f"optimizer.{key}={value!r}" for key, value in values.items() if f"optimizer.{key}" not in str(error)
        )
        raise RequestError(f"{error}; given is {given}" if given else str(error)) from None


def _check_memory(network: Any) -> None:
    """Refuses a network whose weights alone do not fit into this machine's memory."""
    needed = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters()) / 2**30
    memory = machine()["memory_gb"]
    if memory is not None and needed > memory:
        raise RequestError(
            f"the network's weights take {needed:,.0f} GiB, this machine has {memory:g}; choose smaller sizes: "
            "encoder.hidden_size, decoder.hidden_size, embedding.embedding_size, num_layers"
        )


def _check_experiment_name(name: str | None) -> None:
    """Refuses a name that would put the runs outside of `paths.outputs`."""
    if name is not None and (Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name):
        raise RequestError(f"experiment_name={name}: a folder below paths.outputs is expected")


def check_resumed(configuration: Any, hydra: Any) -> None:
    """Checks that `resume` names a run that can go on, and that nothing else is asked of it.

    Args:
        configuration: a composed and checked training configuration (DictConfig).
        hydra: Hydra's own node of the job (DictConfig).

    Raises:
        RequestError: if it does not.
    """
    others = [word for word in hydra.overrides.task if word.partition("=")[0] not in ("resume", "accept_changed_data")]
    if others:
        raise RequestError(
            f"{others[0]}: a resumed run goes on as it was frozen; leave this word out, "
            "or start a new run from its weights with init=RUN"
        )
    folder = RunFolder.open(configuration.resume)
    folder.configuration()


def _check_extras(loggers: Any) -> None:
    """Refuses a logger whose packages are not installed."""
    if not isinstance(loggers, dict):
        raise RequestError(f"logger={loggers!r}: a section with trackers by name is expected")
    for name, node in loggers.items():
        if node is None:
            continue
        if not isinstance(node, dict) or not isinstance(node.get("_target_"), str):
            raise RequestError(f"logger.{name}={node!r}: a section with a _target_ is expected, or null for none")
        needed = getattr(locate(node["_target_"], f"logger.{name}"), "needs", ())
        missing = [package for package in needed if importlib.util.find_spec(package) is None]
        if missing:
            raise RequestError(f"logger={name} needs the package {missing[0]}: pip install 's2s-lab[{name}]'")


def freeze(
    configuration: Any,
    hydra: Any,
    *,
    label: str = "",
    command: str | None = None,
    fingerprints: dict[str, Any] | None = None,
) -> FrozenJob:
    """Fixes one job: resolves its configuration, names it, and hashes what decides its result.

    Args:
        configuration: a composed and checked training configuration (DictConfig).
        hydra: Hydra's own node of the job (DictConfig).
        label: what the user calls it; the words of its command line by default.
        command: that asked for it; `s2s-train` with the words by default.
        fingerprints: of corpora read before, by their nodes; those that are read now are added.

    Raises:
        RequestError: if the corpus cannot be read, or a file of it is wrong.
    """
    settings = with_absolute_paths(configuration)
    chosen = choices(hydra)
    settings["name"] = settings["name"] or chosen["model"]
    settings["experiment_name"] = settings["experiment_name"] or chosen.get("experiment") or settings["data"]["name"]
    known, node = {} if fingerprints is None else fingerprints, json.dumps(settings["data"]["corpus"])
    if node not in known:
        corpus = build(settings["data"]["corpus"], "data.corpus")
        corpus.check()
        known[node] = corpus.fingerprint()
    fingerprint = known[node]
    of_the_job = {**without_later_keys(settings), "fingerprint": fingerprint}
    if of_the_job.pop("init"):  # what the weights are counts, not where they lie
        weights = read_model(Path(settings["init"]))[0] / WEIGHTS
        of_the_job["init"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    _count_contents(of_the_job)
    words = list(hydra.overrides.task)
    settings["job"] = {
        "hash": configuration_hash(of_the_job, without=NOT_OF_THE_JOB),
        "row_hash": configuration_hash(of_the_job, without=NOT_OF_THE_ROW),
        "choices": chosen,
        "command": command or shlex.join(["s2s-train", *words]),
        "corpus_fingerprint": fingerprint,
    }
    return FrozenJob(label or " ".join(words), settings)


def _count_contents(of_the_job: dict[str, Any]) -> None:
    """Puts what files hold in place of where they lie: vectors, and vocabularies of another run."""
    embedding, data = of_the_job["embedding"], of_the_job["data"]
    vectors = {key: sha256_of(Path(embedding[key])) for key in VECTORS if embedding.get(key)}
    if vectors:
        of_the_job["embedding"] = {**embedding, **vectors}
    if data.get("vocabulary_from"):
        of_the_job["data"] = {**data, "vocabulary_from": given_sides(Path(data["vocabulary_from"])).digest}


def with_absolute_paths(configuration: Any) -> dict[str, Any]:
    """The plain settings, with `paths` and files of one's own absolute, so that any other folder can use the run."""
    own = copy.deepcopy(configuration)
    OmegaConf.set_readonly(own, False)
    for key, value in own.paths.items():
        if value is not None:
            own.paths[key] = str(Path(value).expanduser().resolve())
    if own.init is not None:
        own.init = str(Path(own.init).expanduser().resolve())
    if own.data.get("vocabulary_from") is not None:
        own.data.vocabulary_from = str(Path(own.data.vocabulary_from).expanduser().resolve())
    for key in VECTORS:
        if own.embedding.get(key) is not None:
            own.embedding[key] = str(Path(own.embedding[key]).expanduser().resolve())
    for split in ("train", "validation", "test"):
        for key, value in (own.data.get(split) or {}).items():
            if isinstance(value, ListConfig):
                own.data[split][key] = [_absolute(str(each)) for each in value]
            elif value is not None:
                own.data[split][key] = _absolute(value)
    return plain(own)


def _absolute(path: str) -> str:
    """The absolute path of a file that there is; another one as it is."""
    return str(Path(path).expanduser().resolve()) if Path(path).expanduser().exists() else path

"""Known keys and types of the configuration sections that are no `_target_` nodes; the rest is checked by signature."""

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from s2s_lab.assemble.instantiation import check_keys, check_targets
from s2s_lab.faults import RequestError
from s2s_lab.records.configuration import flatten

Node = dict[str, Any]
Folders = list[str]


@dataclass(kw_only=True)
class Paths:
    """Folders: of the corpora, of the runs, of the encoded corpora."""

    data: str | None
    outputs: str
    cache: str


@dataclass(kw_only=True)
class Vocabulary:
    """How vocabularies are made from the training split."""

    min_freq: int = 1
    max_size: int | None = None
    shared: bool = False


@dataclass(kw_only=True)
class Batch:
    """Size of a global batch of training: in sentences, or in padded tokens of one side."""

    max_sentences: int | None = None
    max_tokens: int | None = None


@dataclass(kw_only=True)
class Data:
    """One corpus and how it becomes batches."""

    name: str
    corpus: Node
    vocabulary: Vocabulary
    batch: Batch
    source: str | list = "source"
    target: str = "target"
    split: str | None = None
    split_seed: int | None = None
    fraction: float | None = None
    composed: int | None = None
    validation_fraction: float | None = None
    size: int | None = None
    replacement: bool = False
    train: Node | None = None
    validation: Node | None = None
    test: Node | None = None
    vocabulary_from: str | None = None
    max_source_length: int | None = None
    max_target_length: int | None = None
    num_workers: int = 0


@dataclass(kw_only=True)
class Metrics:
    """Metrics by name, and the one that chooses checkpoints."""

    monitor: str
    scores: Node


@dataclass(kw_only=True)
class Trainer:
    """The budget, the devices and the arithmetic of a training; the units are optimizer steps and epochs."""

    max_steps: int
    max_epochs: int | None
    max_minutes: float | None
    validate_every: int | None
    validation_sentences: int
    patience: int | None
    gradient_clip: float | None
    accumulate: int
    accelerator: Literal["auto", "cpu", "gpu"]
    devices: int
    num_nodes: int
    strategy: Literal["auto", "ddp", "fsdp", "local_sgd", "hogwild"]
    averaging_start: int
    averaging_period: int
    precision: Literal["32-true", "64-true", "bf16-mixed"]
    matmul_precision: Literal["highest", "high", "medium"]
    num_threads: int | None
    allocator: Literal["retain", "default"]
    deterministic: bool
    log_every: int
    skip_bad_batches: int
    try_largest_batch: bool
    average_last: int | None = None


@dataclass(kw_only=True)
class Callbacks:
    """What is shown of a validation, whether a bar is drawn, and further callbacks by name."""

    examples: int
    attention_pictures: int
    progress: bool
    more: Node = dataclasses.field(default_factory=dict)


@dataclass(kw_only=True)
class Training:
    """conf/train.yaml."""

    seed: int
    name: str | None
    experiment_name: str | None
    launch: bool
    paths: Paths
    data: Data
    tokenizer: Node
    metrics: Metrics
    cell: Node
    encoder: Node
    bridge: Node
    attention: Node
    decoder: Node
    embedding: Node
    output: Node
    initialization: Node
    objective: Node
    teacher_forcing: Node
    optimizer: Node
    learning_rate: Node
    decoding: Node
    callbacks: Callbacks
    logger: Node
    trainer: Trainer
    transition: Node | None = None
    cell_dropout: Node | None = None
    sources: Node | None = None
    source_tokenizer: Node | None = None
    target_tokenizer: Node | None = None
    resume: str | None = None
    accept_changed_data: bool = False
    init: str | None = None


@dataclass(kw_only=True)
class Evaluation:
    """conf/evaluate.yaml."""

    runs: Folders | str
    split: str
    decoding: Node
    batch_sentences: int
    attention_sentences: int
    accelerator: Literal["auto", "cpu", "gpu"]
    precision: Literal["float32", "float64", "bfloat16", "int8"]
    matmul_precision: Literal["highest", "high", "medium"]
    num_threads: int | None
    paths: Node
    metrics: Metrics | None = None
    shortlist: bool = False
    constraint: Node = dataclasses.field(default_factory=dict)
    oracle_length: bool = False
    repeats: int = 1
    replace_unknown: bool = False
    prefixes_file: str | None = None
    required_file: str | None = None
    forbidden_file: str | None = None
    together: Folders = dataclasses.field(default_factory=list)
    together_weights: list | None = None
    together_mean: Literal["probabilities", "log_probabilities"] = "probabilities"
    language_model: str | None = None
    language_model_weight: float = 0.2
    rerank: list = dataclasses.field(default_factory=list)
    wait_k: int | None = None
    trace_sentences: int = 0
    encoded_megabytes: int = 0
    batches_at_once: int | None = None
    again: bool = False
    label: str | None = None
    grid: str | None = None
    table: str | None = None
    wandb: Literal["offline", "online"] | None = None
    wandb_project: str = "s2s_lab"
    wandb_entity: str | None = None


@dataclass(kw_only=True)
class Translation:
    """conf/translate.yaml."""

    run: str
    decoding: Node
    batch_sentences: int
    nbest: int
    input_file: str | None
    output_file: str | None
    max_source_length: int | None
    attention_file: str | None
    accelerator: Literal["auto", "cpu", "gpu"]
    precision: Literal["float32", "float64", "bfloat16", "int8"]
    matmul_precision: Literal["highest", "high", "medium"]
    num_threads: int | None
    shortlist: bool = False
    interactive: bool = False
    scores: bool = False
    targets_file: str | None = None
    constraint: Node = dataclasses.field(default_factory=dict)
    replace_unknown: bool = False
    prefixes_file: str | None = None
    required_file: str | None = None
    forbidden_file: str | None = None
    together: Folders = dataclasses.field(default_factory=list)
    together_weights: list | None = None
    together_mean: Literal["probabilities", "log_probabilities"] = "probabilities"
    language_model: str | None = None
    language_model_weight: float = 0.2
    rerank: list = dataclasses.field(default_factory=list)
    wait_k: int | None = None
    batches_at_once: int | None = None


LEAST = {
    "seed": 0,
    "data.num_workers": 0,
    "data.batch.max_sentences": 1,
    "data.batch.max_tokens": 1,
    "callbacks.examples": 0,
    "callbacks.attention_pictures": 0,
    "trainer.max_steps": -1,
    "trainer.max_epochs": 1,
    "trainer.max_minutes": 0.01,
    "trainer.validate_every": 1,
    "trainer.validation_sentences": 1,
    "trainer.patience": 0,
    "trainer.accumulate": 1,
    "trainer.devices": 1,
    "trainer.num_nodes": 1,
    "trainer.averaging_start": 0,
    "trainer.averaging_period": 1,
    "trainer.num_threads": 1,
    "trainer.log_every": 1,
    "trainer.skip_bad_batches": 0,
    "trainer.average_last": 1,
    "batch_sentences": 1,
    "attention_sentences": 0,
    "nbest": 1,
    "repeats": 1,
    "wait_k": 1,
    "trace_sentences": 0,
    "encoded_megabytes": 0,
    "max_source_length": 1,
    "num_threads": 1,
    "batches_at_once": 1,
}
"""The least value of each number by its dotted place; a null stays a null."""

MOST = {
    "seed": 2**32 - 1,
    "data.num_workers": 1024,
    "trainer.devices": 1024,
    "trainer.num_threads": 4096,
    "num_threads": 4096,
    "batches_at_once": 4096,
    **dict.fromkeys(
        ("trainer.max_steps", "trainer.max_epochs", "trainer.max_minutes", "trainer.validate_every",
         "trainer.validation_sentences", "trainer.patience", "trainer.accumulate", "trainer.log_every",
         "trainer.average_last",
         "callbacks.examples", "callbacks.attention_pictures", "data.batch.max_sentences", "data.batch.max_tokens",
         "batch_sentences", "attention_sentences", "nbest", "trace_sentences", "encoded_megabytes"),
        2**53,
    ),
}  # fmt: skip
"""The greatest value of each number by its dotted place."""

SECTIONS: dict[str, type] = {"train": Training, "evaluate": Evaluation, "translate": Translation}


def check(configuration: Mapping[str, Any], section: type) -> None:
    """Checks a composed configuration: known keys, types, and every `_target_` node within.

    Args:
        configuration: plain containers, resolved.
        section: one of SECTIONS' values.

    Raises:
        RequestError: one line that names the place, the value and what was expected.
    """
    _check_section(configuration, section, "")
    for key, value in flatten(configuration).items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, float) and not math.isfinite(each):
                raise RequestError(f"{key}={value}: a finite number is expected")
    check_targets(configuration)


def _check_section(node: Mapping[str, Any], section: type, place: str) -> None:
    check_keys(section, node, place)
    for field, hint in typing.get_type_hints(section).items():
        value, where = node.get(field), f"{place}.{field}" if place else field
        inner = next((part for part in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(part)), None)
        if value is None:
            if not _admits_none(hint):
                raise RequestError(f"{where} is null, but a value is needed")
        elif where in MOST and value > MOST[where]:
            raise RequestError(f"{where}={value}: at most {MOST[where]} is expected")
        elif where in LEAST and value < LEAST[where]:
            raise RequestError(f"{where}={value}: at least {LEAST[where]} is expected")
        elif inner is not None:
            if not isinstance(value, Mapping):
                raise RequestError(f"{where}={value!r}: a section with keys is expected")
            _check_section(value, typing.cast(type, inner), where)
        elif hint in (Folders, list, list | None) and not isinstance(value, list):
            raise RequestError(f"{where}={value!r}: a list is expected, {where}=[...]")
        elif Folders in (hint, *typing.get_args(hint)) and not all(isinstance(each, str) for each in value):
            raise RequestError(f"{where}={value!r}: run folders are expected")
        elif (hint is Node or Node in typing.get_args(hint)) and not isinstance(value, Mapping):
            raise RequestError(f"{where}={value!r}: a section with keys is expected; choose an option of the group")


def _admits_none(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)

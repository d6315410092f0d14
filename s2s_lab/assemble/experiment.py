"""Builds and runs one training from its frozen run folder; the only part of assembly that knows Lightning."""

import dataclasses
import logging
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only

from s2s_lab.assemble.devices import check_devices, threads
from s2s_lab.assemble.inference import MODEL_KEYS, build_metrics, build_strategy, tokenizer_node
from s2s_lab.assemble.instantiation import build, check_targets
from s2s_lab.assemble.network import build_network
from s2s_lab.data.prepare import PreparedData, VocabularySettings, prepare
from s2s_lab.faults import RequestError
from s2s_lab.inference.frozen import FrozenModel, save_model
from s2s_lab.inference.text import TextSide
from s2s_lab.metrics.base import Metric
from s2s_lab.models.seq2seq import Seq2Seq
from s2s_lab.records.environment import git, machine, versions
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.records.word_counts import words
from s2s_lab.training.callbacks.agreed_stop import AgreedStop
from s2s_lab.training.callbacks.examples import ExampleLogging
from s2s_lab.training.callbacks.progress import TrainingProgress
from s2s_lab.training.callbacks.run_record import RunRecord
from s2s_lab.training.callbacks.stopping import LastValidation
from s2s_lab.training.checkpoint_io import AtomicCheckpointIO
from s2s_lab.training.datamodule import Seq2SeqDataModule
from s2s_lab.training.loggers.base import KeepsModels
from s2s_lab.training.loggers.curves import CurvesLogger
from s2s_lab.training.module import Seq2SeqModule
from s2s_lab.training.sample import Sample
from s2s_lab.training.strategies.choice import choose_strategy, steps_between_meetings

log = logging.getLogger(__name__)


def train(folder: RunFolder) -> None:
    """Trains the job of a run folder and leaves its model, curves and facts there.

    Args:
        folder: holds config.yaml, frozen.

    Raises:
        RequestError: if the data or the combination of parts is wrong.
        RunError: if the training cannot go on.
        KeyboardInterrupt: if it was interrupted; its state is in checkpoints/last.ckpt.
    """
    settings = folder.configuration()
    check_targets({key: value for key, value in settings.items() if key != "job"})
    check_devices(settings["trainer"])
    _configure_process(settings["trainer"], folder)
    pl.seed_everything(settings["seed"], verbose=False)
    prepared, corpus = _prepare(settings)
    network = _network(settings, prepared)
    frozen = FrozenModel(
        network=network,
        source=TextSide(prepared.source_tokenizer, prepared.source_vocabulary),
        target=TextSide(prepared.target_tokenizer, prepared.target_vocabulary),
        configuration={key: settings[key] for key in MODEL_KEYS},
        shared=settings["data"]["vocabulary"]["shared"],
    )
    sample = _sample(settings, prepared, corpus, frozen)
    datamodule = Seq2SeqDataModule(
        prepared=prepared,
        **settings["data"]["batch"],
        seed=settings["seed"],
        sample=np.asarray(sorted(sample.sources)),
        num_workers=settings["data"]["num_workers"],
        accumulate=settings["trainer"]["accumulate"],
    )
    batches = datamodule.training_batches()
    total_steps = _total_steps(settings["trainer"], len(batches))
    module = _module(settings, network, sample, total_steps)
    if rank_zero_only.rank == 0:
        _start_record(folder, settings, prepared, network, batches.fill())
    trainer = _trainer(settings, folder, module, total_steps, len(batches))
    try:
        trainer.fit(module, datamodule=datamodule)
    except SystemExit as error:  # after an interrupt or a SIGTERM Lightning would end the process itself
        raise KeyboardInterrupt from error
    if trainer.interrupted:
        raise KeyboardInterrupt
    if settings["trainer"]["strategy"] == "fsdp":  # the network trained lies in pieces on all ranks
        frozen = dataclasses.replace(frozen, network=_network(settings, prepared))
    _finish(folder, frozen, trainer)


def _network(settings: Mapping[str, Any], prepared: PreparedData) -> Seq2Seq:
    return build_network(
        settings,
        source_size=len(prepared.source_vocabulary),
        target_size=len(prepared.target_vocabulary),
        shared=settings["data"]["vocabulary"]["shared"],
    )


def _configure_process(settings: Mapping[str, Any], folder: RunFolder) -> None:
    """Threads, arithmetic, the log file, and the third-party warnings that a user cannot act on."""
    torch.set_num_threads(threads(settings))
    torch.set_float32_matmul_precision(settings["matmul_precision"])
    rank = rank_zero_only.rank
    log_file = folder.log_file if rank == 0 else folder.log_file.with_name(f"log-rank{rank}.txt")
    handler = logging.FileHandler(log_file, encoding="utf-8")
    logging.basicConfig(
        level=logging.INFO, handlers=[handler], format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")


def _prepare(settings: Mapping[str, Any]) -> tuple[PreparedData, Any]:
    data = settings["data"]
    corpus = build(data["corpus"], "data.corpus")
    began = time.perf_counter()
    prepared = prepare(
        corpus=corpus,
        source_tokenizer=build(tokenizer_node(settings, "source"), "source_tokenizer"),
        target_tokenizer=build(tokenizer_node(settings, "target"), "target_tokenizer"),
        vocabulary=VocabularySettings(**data["vocabulary"]),
        max_source_length=data["max_source_length"],
        max_target_length=data["max_target_length"],
        cache=Path(settings["paths"]["cache"]),
        words=words,
    )
    log.info("data ready in %.1f s: %d training pairs", time.perf_counter() - began, len(prepared.splits["train"]))
    return prepared, corpus


def _sample(settings: Mapping[str, Any], prepared: PreparedData, corpus: Any, frozen: FrozenModel) -> Sample:
    """The validation sample: evenly spaced sentences, the same for every seed."""
    size = len(prepared.splits["validation"])
    count = min(size, settings["trainer"]["validation_sentences"])
    rows = set(np.linspace(0, size - 1, count).astype(int).tolist())
    pairs = enumerate(corpus.pairs("validation"))
    sources = {index: source for index, (source, _) in pairs if index in rows}
    references = corpus.references("validation")
    return Sample(
        strategy=build_strategy(settings["decoding"]),
        source=frozen.source,
        target=frozen.target,
        metrics=_validation_metrics(settings["metrics"]),
        sources=sources,
        references={index: references[index] for index in sources},
        num_examples=settings["callbacks"]["examples"],
        num_pictures=settings["callbacks"]["attention_pictures"],
    )


def _validation_metrics(node: Mapping[str, Any]) -> dict[str, Metric]:
    """The monitored metric alone; all of them where the loss is monitored."""
    metrics = build_metrics(node)
    return {node["monitor"]: metrics[node["monitor"]]} if node["monitor"] in metrics else metrics


def _total_steps(trainer: Mapping[str, Any], batches: int) -> int:
    """Optimizer steps of the training: the smaller of max_steps and max_epochs.

    Raises:
        RequestError: if neither limits it.
    """
    limits = [trainer["max_steps"]] if trainer["max_steps"] > 0 else []
    if trainer["max_epochs"] is not None:
        limits.append(-(-batches // trainer["accumulate"]) * trainer["max_epochs"])
    if not limits or min(limits) < 1:
        raise RequestError("trainer.max_steps or trainer.max_epochs must be at least 1")
    return min(limits)


def _module(settings: Mapping[str, Any], network: Any, sample: Sample, total_steps: int) -> Seq2SeqModule:
    return Seq2SeqModule(
        network=network,
        objective=build(settings["objective"], "objective"),
        optimizer=build(settings["optimizer"], "optimizer"),
        schedule=build(settings["learning_rate"], "learning_rate"),
        teacher_forcing=build(settings["teacher_forcing"], "teacher_forcing"),
        sample=sample,
        monitor=settings["metrics"]["monitor"],
        total_steps=total_steps,
        gradient_clip=settings["trainer"]["gradient_clip"],
        log_every=settings["trainer"]["log_every"],
        accumulate=settings["trainer"]["accumulate"],
    )


def _trainer(
    settings: Mapping[str, Any], folder: RunFolder, module: Seq2SeqModule, total_steps: int, batches: int
) -> pl.Trainer:
    trainer = settings["trainer"]
    mode = "max" if module.higher_is_better else "min"
    checkpoints = {"dirpath": folder.checkpoints, "save_on_train_epoch_end": False, "enable_version_counter": False}
    callbacks: list[pl.Callback] = [
        RunRecord(folder=folder),
        ExampleLogging(),
        LastValidation(total_steps=total_steps),
        ModelCheckpoint(**checkpoints, filename="best", monitor=module.monitor, mode=mode),
        ModelCheckpoint(**checkpoints, filename="last", save_on_exception=True),
    ]
    if trainer["patience"] is not None:
        callbacks.append(
            EarlyStopping(module.monitor, mode=mode, patience=trainer["patience"], check_on_train_epoch_end=False)
        )
    if settings["callbacks"]["progress"]:
        callbacks.append(TrainingProgress(title=_title(settings), monitor=module.monitor, total_steps=total_steps))
    callbacks.append(AgreedStop(every=steps_between_meetings(trainer)))
    every = trainer["validate_every"]
    return pl.Trainer(
        accelerator=trainer["accelerator"],
        devices=trainer["devices"],
        num_nodes=trainer["num_nodes"],
        strategy=choose_strategy(trainer),
        precision=trainer["precision"],
        deterministic=trainer["deterministic"],
        max_steps=total_steps,
        max_epochs=-1,
        accumulate_grad_batches=trainer["accumulate"],
        val_check_interval=(every * trainer["accumulate"] if every else batches),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=trainer["log_every"],
        logger=_loggers(settings, folder),
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder.path,
    )


def _title(settings: Mapping[str, Any]) -> str:
    """What the progress bar says is trained, with its place in the sweep."""
    sweep = settings["job"]["sweep"]
    place = f"{sweep['position']}/{sweep['total']} " if sweep["total"] > 1 else ""
    return f"{place}{settings['name']} seed {settings['seed']}"


def _loggers(settings: Mapping[str, Any], folder: RunFolder) -> list[Any]:
    job = settings["job"]
    trackers = [
        build(
            {**node, "_partial_": True},
            f"logger.{name}",
            folder=folder.path,
            run_id=job["tracker_id"],
            name=f"{settings['name']}-{settings['seed']}",
            group=settings["experiment_name"],
            configuration=settings,
        )
        for name, node in settings["logger"].items()
        if node is not None
    ]
    return [CurvesLogger(path=folder.metrics_csv), *trackers]


def _start_record(
    folder: RunFolder, settings: Mapping[str, Any], prepared: PreparedData, network: torch.nn.Module, fill: float
) -> None:
    job, data = settings["job"], settings["data"]
    devices = [torch.cuda.get_device_name()] if torch.cuda.is_available() else ["cpu"]
    folder.update(
        {
            "git": git(),
            "versions": versions(),
            "machine": machine(devices),
            "data": {
                "name": data["name"],
                "source": data["source"],
                "target": data["target"],
                "fingerprint": prepared.fingerprint,
                "files": job["corpus_fingerprint"],
                "filtered": prepared.filtered,
                "fill": round(fill, 4),
                "vocabulary": [len(prepared.source_vocabulary), len(prepared.target_vocabulary)],
                "pairs": {"train": len(prepared.splits["train"]), "validation": len(prepared.splits["validation"])},
            },
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "tracker": {name: job["tracker_id"] for name, node in settings["logger"].items() if node is not None},
        }
    )
    folder.write_word_counts(prepared.word_counts)


def _finish(folder: RunFolder, frozen: FrozenModel, trainer: pl.Trainer) -> None:
    """Writes the model of the best checkpoint, hands it to the trackers, and marks the run finished."""
    if not trainer.is_global_zero:
        return
    best = torch.load(folder.checkpoints / "best.ckpt", map_location="cpu", weights_only=True)["state_dict"]
    prefix = "network."
    frozen.network.load_state_dict({key[len(prefix) :]: best[key] for key in best if key.startswith(prefix)})
    save_model(frozen, folder.model)
    facts = folder.finish("finished")
    for logger in trainer.loggers:
        if isinstance(logger, KeepsModels):
            logger.keep_model(folder.model, {key: facts[key] for key in ("seed", "parameters", "seconds", "best")})

"""Builds and runs one training from its frozen run folder; the only part of assembly that knows Lightning."""

import dataclasses
import logging
import sys
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from s2s_lab.assemble.callbacks import more_callbacks
from s2s_lab.assemble.configuration import with_later_keys
from s2s_lab.assemble.devices import check_devices, threads
from s2s_lab.assemble.inference import CHOSEN_KEYS, MODEL_KEYS, build_metrics, build_strategy, read_model
from s2s_lab.assemble.instantiation import build, check_targets
from s2s_lab.assemble.network import build_network
from s2s_lab.assemble.preparation import prepare_data, remarks
from s2s_lab.assemble.resumption import check_unchanged, checkpoint_to_resume
from s2s_lab.assemble.tables import fill_tables
from s2s_lab.assemble.training_record import finish_record, start_record
from s2s_lab.assemble.vectors import fill_embeddings
from s2s_lab.data.prepared import PreparedData
from s2s_lab.faults import RequestError
from s2s_lab.inference.frozen import FrozenModel, load_weights
from s2s_lab.inference.text import TextSide
from s2s_lab.metrics.base import Metric
from s2s_lab.models.seq2seq import Seq2Seq
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.training.callbacks.agreed_stop import AgreedStop
from s2s_lab.training.callbacks.best_checkpoint import BestCheckpoint
from s2s_lab.training.callbacks.boundary import Boundary
from s2s_lab.training.callbacks.current_batch import CurrentBatch
from s2s_lab.training.callbacks.examples import ExampleLogging
from s2s_lab.training.callbacks.finite_weights import FiniteWeights
from s2s_lab.training.callbacks.last_checkpoint import LastCheckpoint
from s2s_lab.training.callbacks.progress import TrainingProgress
from s2s_lab.training.callbacks.recent_weights import RecentWeights
from s2s_lab.training.callbacks.rehearsal import Rehearsal
from s2s_lab.training.callbacks.run_record import RunRecord
from s2s_lab.training.callbacks.time_limit import TimeLimit
from s2s_lab.training.checkpoint_io import AtomicCheckpointIO
from s2s_lab.training.datamodule import Seq2SeqDataModule
from s2s_lab.training.epoch_loop import StepwiseEpochLoop
from s2s_lab.training.log_file import LogFile
from s2s_lab.training.loggers.curves import CurvesLogger
from s2s_lab.training.loggers.guarded import GuardedTracker
from s2s_lab.training.module import Seq2SeqModule
from s2s_lab.training.sample import Sample
from s2s_lab.training.strategies.choice import choose_strategy, steps_between_meetings

log = logging.getLogger(__name__)


def train(folder: RunFolder, *, resume: bool = False, accept_changed_data: bool = False) -> list[Logger]:
    """Trains the job of a run folder and leaves its model, curves and facts there.

    Args:
        folder: holds config.yaml, frozen.
        resume: whether to go on from the newest whole checkpoint of the folder, if there is one.
        accept_changed_data: whether to go on although the files of the corpus differ from those at the start.

    Returns:
        Its loggers, which are still to be ended by `end_loggers`; empty on all ranks but the first.

    Raises:
        RequestError: if the data or the combination of parts is wrong.
        RunError: if the training cannot go on.
        KeyboardInterrupt: if it was interrupted; its state is in checkpoints/last.ckpt.
    """
    settings = with_later_keys(folder.configuration())
    check_targets({key: value for key, value in settings.items() if key != "job"})
    check_devices(settings["trainer"])
    _configure_process(settings["trainer"], folder)
    pl.seed_everything(settings["seed"], verbose=False)
    checkpoint = None
    if resume:
        checkpoint = checkpoint_to_resume(folder, settings["trainer"]["strategy"], _say)
    check_unchanged(settings, resume=resume, accept_changed=accept_changed_data, say=_say)
    prepared, corpus = prepare_data(settings)
    for remark in remarks(settings, prepared):
        _say(remark)
    network = _network(settings, prepared)
    coverage = {} if settings.get("init") or checkpoint else fill_embeddings(network, prepared)
    if settings.get("init") and checkpoint is None:
        load_weights(network, read_model(Path(settings["init"]))[0])
    fill_tables(network.output, prepared)
    frozen = FrozenModel(
        network=network,
        source=TextSide(prepared.source_tokenizer, prepared.source_vocabulary, num_sources=corpus.num_sources),
        target=TextSide(prepared.target_tokenizer, prepared.target_vocabulary),
        configuration={key: settings[key] for key in (*MODEL_KEYS, *CHOSEN_KEYS) if key in settings},
        shared=settings["data"]["vocabulary"]["shared"],
    )
    sample = _sample(settings, prepared, corpus, frozen)
    datamodule = _datamodule(settings, prepared, sample, accept_changed_data)
    batches = datamodule.training_batches
    total_steps = _total_steps(settings["trainer"], len(batches))
    module = _module(settings, network, sample, total_steps)
    if rank_zero_only.rank == 0:
        start_record(folder, settings, prepared, network, batches.fill())
        if coverage:
            folder.update({"vectors": coverage})
    current = CurrentBatch(num_workers=settings["data"]["num_workers"])
    watching: list[pl.Callback] = [current, FiniteWeights()]
    if settings["trainer"]["try_largest_batch"]:
        watching.append(Rehearsal(rows=batches.largest(), split=prepared.splits["train"], current=current))
    recent = None
    if settings["trainer"]["average_last"] is not None:
        recent = RecentWeights(count=settings["trainer"]["average_last"], folder=folder, datamodule=datamodule)
        watching.append(recent)
    trainer = _trainer(settings, folder, module, datamodule, watching)
    with current.explaining():
        try:
            trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True)
        except SystemExit as error:  # after an interrupt Lightning would end the process itself
            raise KeyboardInterrupt from error
    if trainer.interrupted:
        raise KeyboardInterrupt
    if settings["trainer"]["strategy"] == "fsdp":  # the network trained lies in pieces on all ranks
        frozen = dataclasses.replace(frozen, network=_network(settings, prepared))
    if trainer.is_global_zero:
        finish_record(folder, frozen, trainer.loggers, None if recent is None else recent.mean(), _say)
        return trainer.loggers
    return []


def _network(settings: Mapping[str, Any], prepared: PreparedData) -> Seq2Seq:
    return build_network(
        settings,
        source_size=len(prepared.source_vocabulary),
        target_size=len(prepared.target_vocabulary),
        shared=settings["data"]["vocabulary"]["shared"],
        factor_sizes=prepared.source_tokenizer.factor_sizes(),
    )


def _datamodule(
    settings: Mapping[str, Any], prepared: PreparedData, sample: Sample, accept_changed_data: bool
) -> Seq2SeqDataModule:
    return Seq2SeqDataModule(
        prepared=prepared,
        **settings["data"]["batch"],
        seed=settings["seed"],
        sample=np.asarray(sorted(sample.sources)),
        num_workers=settings["data"]["num_workers"],
        accept_changed_data=accept_changed_data,
        accumulate=settings["trainer"]["accumulate"],
        replacement=settings["data"]["replacement"],
    )


def _say(line: str) -> None:
    if rank_zero_only.rank == 0:
        log.warning(line)
        print(f"s2s-train: {line}", file=sys.stderr, flush=True)


def _configure_process(settings: Mapping[str, Any], folder: RunFolder) -> None:
    """Threads, arithmetic, the log file, and the third-party warnings that a user cannot act on."""
    torch.set_num_threads(threads(settings))
    torch.set_float32_matmul_precision(settings["matmul_precision"])
    rank = rank_zero_only.rank
    log_file = folder.log_file if rank == 0 else folder.log_file.with_name(f"log-rank{rank}.txt")
    handler = LogFile(log_file)
    logging.basicConfig(
        level=logging.INFO, handlers=[handler], format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")


def _sample(settings: Mapping[str, Any], prepared: PreparedData, corpus: Any, frozen: FrozenModel) -> Sample:
    """The validation sample: evenly spaced sentences, the same for every seed."""
    size = len(prepared.splits["validation"])
    count = min(size, settings["trainer"]["validation_sentences"])
    rows = set(np.linspace(0, size - 1, count).astype(int).tolist())
    pairs = enumerate(corpus.pairs("validation"))
    sources = {index: source for index, (source, _) in pairs if index in rows}
    references = corpus.references("validation")
    return Sample(
        strategy=build_strategy(settings["decoding"], target=frozen.target),
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
    if len(limits) == 2 and limits[0] < limits[1]:
        _say(
            f"trainer.max_steps={limits[0]} ends the training before the {limits[1]} steps of "
            f"trainer.max_epochs={trainer['max_epochs']}; trainer.max_steps=-1 is no limit"
        )
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
        skip_bad_batches=settings["trainer"]["skip_bad_batches"],
        accumulate=settings["trainer"]["accumulate"],
    )


def _trainer(
    settings: Mapping[str, Any],
    folder: RunFolder,
    module: Seq2SeqModule,
    datamodule: Seq2SeqDataModule,
    watching: list[pl.Callback],
) -> pl.Trainer:
    trainer = settings["trainer"]
    mode = "max" if module.higher_is_better else "min"
    boundary, minutes = Boundary(datamodule=datamodule), trainer["max_minutes"]
    limit = None if minutes is None else TimeLimit(seconds=60.0 * minutes)
    callbacks: list[pl.Callback] = [*watching, RunRecord(folder=folder), ExampleLogging(), *more_callbacks(settings)]
    callbacks += [] if limit is None else [limit]
    if trainer["patience"] is not None:
        callbacks.append(
            EarlyStopping(
                module.monitor,
                mode=mode,
                patience=trainer["patience"],
                check_on_train_epoch_end=False,
                check_finite=False,  # a value that is not finite is a validation without improvement
            )
        )
    if settings["callbacks"]["progress"]:
        callbacks.append(
            TrainingProgress(title=_title(settings), monitor=module.monitor, total_steps=module.total_steps)
        )
    callbacks += [
        boundary,
        AgreedStop(every=steps_between_meetings(trainer), limit=limit),
        BestCheckpoint(folder=folder.checkpoints, monitor=module.monitor, mode=mode),
        LastCheckpoint(folder=folder.checkpoints, boundary=boundary),
    ]
    lightning = pl.Trainer(
        accelerator=trainer["accelerator"],
        devices=trainer["devices"],
        num_nodes=trainer["num_nodes"],
        strategy=choose_strategy(trainer),
        precision=trainer["precision"],
        deterministic=trainer["deterministic"],
        max_steps=-1,  # the loop below ends the training, after a last validation
        max_epochs=-1,
        accumulate_grad_batches=trainer["accumulate"],
        val_check_interval=len(datamodule.training_batches),
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
    lightning.fit_loop.epoch_loop = StepwiseEpochLoop(
        lightning, every=trainer["validate_every"], total_steps=module.total_steps
    )
    return lightning


def _title(settings: Mapping[str, Any]) -> str:
    """What the progress bar says is trained, with its place in the sweep."""
    sweep = settings["job"]["sweep"]
    place = f"{sweep['position']}/{sweep['total']} " if sweep["total"] > 1 else ""
    return f"{place}{settings['name']} seed {settings['seed']}"


def reopened_trackers(folder: RunFolder) -> list[Logger]:
    """The trackers of a run whose training has ended, for the scores that came after it.

    Args:
        folder: of the run.

    Returns:
        Loggers that are still to be ended by `end_loggers`.
    """
    return _trackers(with_later_keys(folder.configuration()), folder)


def _loggers(settings: Mapping[str, Any], folder: RunFolder) -> list[Logger]:
    return [CurvesLogger(path=folder.metrics_csv), *_trackers(settings, folder)]


def _trackers(settings: Mapping[str, Any], folder: RunFolder) -> list[Logger]:
    job = settings["job"]
    facts = {
        "folder": folder.path,
        "run_id": job["tracker_id"],
        "name": f"{settings['name']}-{settings['seed']}",
        "group": settings["experiment_name"],
        "configuration": settings,
    }
    return [
        GuardedTracker(name, partial(build, {**node, "_partial_": True}, f"logger.{name}", **facts))
        for name, node in settings["logger"].items()
        if node is not None
    ]

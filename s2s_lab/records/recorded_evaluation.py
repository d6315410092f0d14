"""Which recorded evaluation is the one that some settings ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from s2s_lab.records.evaluation import Evaluation, read_evaluation
from s2s_lab.records.run_folder import RunFolder

NOT_OF_THE_RESULT = (
    "runs", "paths", "split", "decoding", "metrics", "oracle_length", "batch_sentences", "attention_sentences",
    "accelerator", "matmul_precision", "num_threads", "batches_at_once", "repeats", "trace_sentences",
    "encoded_megabytes", "again", "label", "grid", "table", "wandb", "wandb_project", "wandb_entity",
    "together", "together_weights", "together_mean", "language_model", "language_model_weight", "rerank", "wait_k",
    "prefixes_file", "required_file", "forbidden_file",
)  # fmt: skip
"""Settings of an evaluation that are compared in another way, or that change only its speed or what is kept of it."""

OTHER_CORPUS = "the corpus is not the one that the model was trained on: its files differ"
"""Warning of an evaluation on other data; its record is known again by it."""


@dataclass(frozen=True)
class Asked:
    """An evaluation that a run should have.

    Attributes:
        definition: hash of what the study says of it.
        split: the split's name in the run's corpus.
        signature: of the decoding strategy and of what decodes together with the run, as the run's record has it.
        settings: plain conf/evaluate.yaml without `runs`.
        signature_over_seeds: the same with what stands for all seeds in place of single models.
        demands: digest of each file that says what outputs must hold, by its setting.
    """

    definition: str
    split: str
    signature: str
    settings: dict[str, Any]
    signature_over_seeds: str
    demands: Mapping[str, str] = field(default_factory=dict)


def find_evaluation(run: RunFolder, asked: Asked) -> Evaluation | None:
    """Give the run's record of an evaluation; None when it has none.

    Raises:
        RequestError: if a record cannot be read.
    """
    for folder in run.evaluation_folders():
        evaluation = read_evaluation(folder)
        if _is_asked(evaluation.facts, asked):
            return evaluation
    return None


def _is_asked(facts: Mapping[str, Any], asked: Asked) -> bool:
    """Whether an evaluation's facts say what was asked for; a setting that they do not name is off.

    One on another corpus than the run was trained on is none: a study's rows are trained and evaluated on one.
    """
    settings = asked.settings
    if (facts["split"], facts.get("signature")) != (asked.split, asked.signature):
        return False
    if facts.get("configuration") != settings["decoding"]:
        return False
    if (facts.get("demands") or {}) != asked.demands or OTHER_CORPUS in (facts.get("warnings") or []):
        return False
    others = [key for key in settings if key not in NOT_OF_THE_RESULT]
    if not all(_agrees(facts.get(key), settings[key]) for key in others):
        return False
    wanted = (settings.get("metrics") or {}).get("scores") or {}
    return {name for name, node in wanted.items() if node} <= {score["name"] for score in facts["scores"]}


def _agrees(recorded: Any, setting: Any) -> bool:
    if isinstance(recorded, Mapping):  # what a switch that is on has led to
        return bool(recorded) == bool(setting)
    return recorded == setting or not (recorded or setting)

"""Weights & Biases: one run for each job, offline unless told otherwise."""

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import wandb
from lightning.pytorch.loggers import WandbLogger

from s2s_lab.records.study_file import STUDIES
from s2s_lab.training.loggers.base import warn
from s2s_lab.training.loggers.pictures import attention_picture
from s2s_lab.training.sample import Example

SECONDS = {"WANDB_INIT_TIMEOUT": "10", "WANDB_LOGIN_TIMEOUT": "10", "WANDB_FINISH_TIMEOUT": "120"}
"""The longest waits for an answer at the start, and for what is still to be sent at the end, unless the user says."""
MOST_TAG = 64
"""Characters of a tag that W&B takes."""


def discreet_settings() -> wandb.Settings:
    """What W&B may know of the machine: its load, and the packages installed.

    Not the address of the git repository (which may hold a key), the names of host, user and folders, the words that
    started the process, or its source. run.json has the commit, the command and the machine.
    """
    return wandb.Settings(disable_git=True, disable_code=True, disable_job_creation=True, host="", x_disable_meta=True)


def tags_of(name: str | None, group: str) -> list[str]:
    """The row's name, and `study` for a job of a study; a long name is cut, with a hash that keeps it apart."""
    tags = [name] if name else []
    tags += ["study"] if group.startswith(STUDIES) else []
    hashes = (hashlib.sha256(tag.encode()).hexdigest()[:8] for tag in tags)
    return [
        tag if len(tag) <= MOST_TAG else f"{tag[: MOST_TAG - 9]}~{hashed}"
        for tag, hashed in zip(tags, hashes, strict=True)
    ]


class WandbTracker(WandbLogger):
    """Curves, configuration, a table of examples, attention pictures and the final model as an artifact.

    One W&B run for each job: of the type `train`, in the group of its experiment, tagged with its row's name.

    Args:
        As those of `wandb.wandb_tracker`, which has the defaults.
    """

    def __init__(
        self,
        *,
        folder: Path,
        run_id: str,
        name: str,
        group: str,
        configuration: Mapping[str, Any],
        project: str,
        entity: str | None,
        mode: Literal["offline", "online"],
    ) -> None:
        os.environ.setdefault("WANDB_DATA_DIR", str(folder / "wandb"))
        os.environ.setdefault("WANDB_SILENT", "true")
        for variable, seconds in SECONDS.items():
            os.environ.setdefault(variable, seconds)
        super().__init__(
            name=name,
            save_dir=folder,
            id=run_id,
            project=project,
            entity=entity,
            group=group,
            job_type="train",
            tags=tags_of(configuration.get("name"), group),
            offline=mode == "offline",
            log_model=False,
            config=dict(configuration),
            settings=discreet_settings(),
        )
        self._wandb_init.pop("anonymous", None)  # W&B warns at each start about this argument of Lightning's
        self._folder = folder

    @property
    def later(self) -> str:
        """How the files are sent later."""
        return f"send what there is by: wandb sync {self._folder}/wandb/*run-*"

    @property
    def experiment(self) -> Any:
        """The W&B run, started at the first call; offline where W&B cannot be reached."""
        if self._experiment is not None or self._offline:
            return super().experiment
        try:
            return super().experiment
        except Exception as error:
            reason = " ".join(str(error).split())
            warn(
                f"W&B: no online run ({type(error).__name__}: {reason[:160]}); it is logged offline, to be sent later "
                f"by: wandb sync {self._folder}/wandb/offline-run-*"
            )
            with contextlib.suppress(Exception):
                wandb.teardown(exit_code=1)  # else the run's id stays in use
            self._offline = True
            self._wandb_init["mode"] = "offline"
            return super().experiment

    def show_examples(self, examples: Sequence[Example], *, step: int) -> None:
        """Logs a table of the examples and a picture of each one's attention."""
        rows = [[step, item.source, item.reference, item.hypothesis] for item in examples]
        logged: dict[str, Any] = {
            "examples": wandb.Table(columns=["step", "source", "reference", "hypothesis"], data=rows),
            "trainer/global_step": step,
        }
        pictures = [
            wandb.Image(attention_picture(item), caption=item.source) for item in examples if item.weights is not None
        ]
        if pictures:
            logged["attention"] = pictures
        self.experiment.log(logged)

    def keep_model(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Logs the model folder as an artifact, and what a table of runs shows as the summary.

        The facts stand beside the last value of each curve, which W&B puts there, and the best of the monitored score
        as `best/<metric>`.
        """
        artifact = wandb.Artifact(f"model-{self.version}", type="model", metadata=dict(facts))
        artifact.add_dir(str(folder))
        self.experiment.log_artifact(artifact)
        best = facts.get("best") or {}
        named = {f"best/{best['metric']}": best["value"]} if best else {}
        self.experiment.summary.update({**facts, **named})

    def end(self, scores: Mapping[str, float]) -> None:
        """Puts the scores into the summary, and ends the W&B run."""
        self.experiment.summary.update(dict(scores))
        self.experiment.finish()

"""Keeps the checkpoint with the best monitored value."""

import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from s2s_lab.training.checkpoint_io import BEST


class BestCheckpoint(ModelCheckpoint):
    """Writes best.ckpt, of equally good ones the latest, and knows it again wherever the run folder was moved to.

    Args:
        folder: where best.ckpt lies.
        monitor: the logged name of the monitored metric.
        mode: `max` or `min`, what is better.
    """

    def __init__(self, *, folder: Path, monitor: str, mode: str) -> None:
        self.folder = folder
        super().__init__(
            dirpath=folder,
            filename=Path(BEST).stem,
            monitor=monitor,
            mode=mode,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        )

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Lightning warns of a folder that is not empty: a resumed run's never is."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
            super().setup(trainer, pl_module, stage)

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Whether the present value is as good as the best: a model that fails or is perfect throughout trains on."""
        equal = current is not None and self.best_model_score is not None and bool(current == self.best_model_score)
        return super().check_monitor_top_k(trainer, current) or trainer.strategy.reduce_boolean_decision(equal)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes back the best value, where its checkpoint is still there; the paths become those of this folder."""
        if not Path(self._here(state_dict["best_model_path"]) or self.folder).is_file():
            return
        super().load_state_dict(
            {
                **state_dict,
                "dirpath": self.dirpath,
                "best_model_path": self._here(state_dict["best_model_path"]),
                "kth_best_model_path": self._here(state_dict["kth_best_model_path"]),
                "best_k_models": {self._here(path): value for path, value in state_dict["best_k_models"].items()},
            }
        )
        self.current_score = state_dict["current_score"]

    def _here(self, path: str) -> str:
        assert self.dirpath is not None
        return str(Path(self.dirpath) / Path(path).name) if path else path

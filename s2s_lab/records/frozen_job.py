"""A training that was asked for: checked, resolved and fixed in all but the time and the place where it runs."""

import copy
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2s_lab.records.run_folder import RunFolder, run_name, utc_now


@dataclass(frozen=True)
class FrozenJob:
    """One training.

    Attributes:
        label: what a user calls it, unique within its sweep: the words that differ, or a study's row and seed.
        settings: the whole resolved configuration (plain conf/train.yaml). Its `job` section holds `hash`, `row_hash`,
            `choices`, `command` and `corpus_fingerprint`.
    """

    label: str
    settings: dict[str, Any]

    @property
    def hash(self) -> str:
        """Of all that decides the result: two jobs of the same hash give the same model."""
        return self.settings["job"]["hash"]

    @property
    def row_hash(self) -> str:
        """The same without the seed."""
        return self.settings["job"]["row_hash"]

    @property
    def experiment(self) -> Path:
        """The folder of the experiment's runs."""
        return Path(self.settings["paths"]["outputs"]) / self.settings["experiment_name"]

    def create_folder(self, *, position: int = 1, total: int = 1) -> RunFolder:
        """Makes the job's run folder and writes its whole configuration there.

        Args:
            position: which job of its sweep this is, from 1.
            total: how many jobs the sweep has.

        Returns:
            The new run folder; its config.yaml is what `python -m s2s_lab.job` takes.

        Raises:
            RequestError: if the folder cannot be made.
        """
        settings = copy.deepcopy(self.settings)
        folder = RunFolder.create(self.experiment, run_name(self.hash))
        settings["job"] |= {
            "folder": str(folder.path.resolve()),
            "created": utc_now(),
            "sweep": {"position": position, "total": total},
            "tracker_id": secrets.token_hex(4),
        }
        folder.write_configuration(settings)
        folder.start(
            {
                "name": settings["name"],
                "experiment": settings["experiment_name"],
                "seed": settings["seed"],
                "job_hash": self.hash,
                "row_hash": self.row_hash,
                "choices": settings["job"]["choices"],
                "command": settings["job"]["command"],
                "data": {key: side_name(settings["data"][key]) for key in ("name", "source", "target")},
            }
        )
        return folder


def side_name(value: str | list[str]) -> str:
    """The label of a side of the data; of several sources their labels in a row."""
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)

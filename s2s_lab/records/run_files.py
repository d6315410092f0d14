"""Where everything of a run lies in its folder."""

import re
from pathlib import Path

from s2s_lab.faults import RequestError


class RunFiles:
    """The files and folders of a run.

    Attributes:
        path: The run's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @property
    def run_file(self) -> Path:
        """run.json: the facts of the run."""
        return self.path / "run.json"

    @property
    def configuration_file(self) -> Path:
        """config.yaml: the whole resolved configuration."""
        return self.path / "config.yaml"

    @property
    def metrics_csv(self) -> Path:
        """metrics.csv: the learning curves."""
        return self.path / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        """The folder of the last and the best checkpoint."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The folder of the self-contained, pickle-free model."""
        return self.path / "model"

    @property
    def word_counts_file(self) -> Path:
        """word_counts.json: target words of the training split with their counts."""
        return self.path / "word_counts.json"

    @property
    def planned_evaluations_file(self) -> Path:
        """evaluations.yaml: what the run is to be evaluated on once it is trained."""
        return self.path / "evaluations.yaml"

    @property
    def log_file(self) -> Path:
        """log.txt: the log."""
        return self.path / "log.txt"

    @property
    def error_file(self) -> Path:
        """error.txt: the traceback of a failed job."""
        return self.path / "error.txt"

    @property
    def evaluations(self) -> Path:
        """The folder of all evaluations."""
        return self.path / "evaluation"

    def evaluation(self, split: str, strategy: str, key: str) -> Path:
        """Give the folder of one evaluation.

        Args:
            split: The split's name.
            strategy: The decoding strategy's name.
            key: Hash of decoding, precision and data.

        Raises:
            RequestError: If a link in the run's folder leads out of it.
        """
        folder = self.evaluations / path_part(split) / f"{path_part(strategy)}-{path_part(key)}"
        if not folder.resolve().is_relative_to(self.path.resolve()):
            raise RequestError(f"{folder}: leads out of the run's folder, to {folder.resolve()}")
        return folder

    def evaluation_folders(self) -> list[Path]:
        """Give the folders of the evaluations that are whole, by split and name."""
        return sorted(file.parent for file in self.evaluations.glob("[!.]*/[!.]*/scores.json"))


def path_part(text: str) -> str:
    """Make a name safe as one part of a path: other characters than letters, digits and `._+-` become `_`."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", text).lstrip(".") or "_"

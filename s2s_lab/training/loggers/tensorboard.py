"""TensorBoard, an option: `pip install s2s-lab[tensorboard]`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger

from s2s_lab.training.loggers.pictures import attention_picture
from s2s_lab.training.sample import Example


class TensorBoardTracker(TensorBoardLogger):
    """Curves, examples as text, attention pictures.

    Attributes:
        needs: packages of the extra of the same name.

    Args:
        folder: run folder; the event files lie in its `tensorboard`.
        run_id: not used; events carry no id.
        name: not used; the run folder tells runs apart.
        group: not used.
        configuration: not used; config.yaml holds it.
    """

    needs = ("tensorboard",)

    def __init__(self, *, folder: Path, run_id: str, name: str, group: str, configuration: Mapping[str, Any]) -> None:
        super().__init__(save_dir=folder, name="tensorboard", version="")
        self._folder = folder

    @property
    def later(self) -> str:
        """What is left of the curves."""
        return f"the events written so far are in {self._folder}/tensorboard"

    def show_examples(self, examples: Sequence[Example], *, step: int) -> None:
        """Logs the examples as a Markdown table and a picture of each one's attention."""
        lines = ["| source | reference | hypothesis |", "|---|---|---|"]
        lines += [f"| {item.source} | {item.reference} | {item.hypothesis} |" for item in examples]
        self.experiment.add_text("examples", "\n".join(lines), step)
        for number, item in enumerate(examples):
            if item.weights is not None:
                self.experiment.add_image(f"attention/{number}", attention_picture(item), step, dataformats="HWC")

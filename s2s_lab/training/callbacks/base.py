"""What every callback of a training is: Lightning's."""

from lightning.pytorch import Callback

__all__ = ["Callback"]

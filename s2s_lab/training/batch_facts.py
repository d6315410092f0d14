"""What a message says of a batch: its shape and its first sentences."""

from s2s_lab.data.batch import Batch

FIRST = 5  # sentence indices that a message names


def shape_of(batch: Batch) -> str:
    """The padded shape of a batch, e.g. `64 rows x 21 source x 19 target tokens`."""
    rows, target = batch.targets.shape
    source = " + ".join(str(values.shape[1]) for values, _ in batch.sources)
    return f"{rows} rows x {source} source x {target} target tokens"


def sentences_of(batch: Batch) -> str:
    """The indices of the first sentences in their split, e.g. `17, 4, 99, 3, 8, ...`."""
    indices = batch.index[: FIRST + 1].tolist()
    return ", ".join([*map(str, indices[:FIRST]), *(["..."] if len(indices) > FIRST else [])])

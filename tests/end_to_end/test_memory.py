"""A corpus larger than what is held in memory: a million pairs train within 600 MB resident."""

import json

from tests.end_to_end.conftest import Commands

LIMIT_MB = 600


def test_a_million_pairs_train_within_the_limit(commands: Commands) -> None:
    """In torch's own arithmetic: oneDNN, which `medium` takes, keeps a compiled kernel for every shape of a batch."""
    commands(
        "train", "data=reverse", "data.size=1000000", "embedding.embedding_size=32", "encoder.hidden_size=64",
        "decoder.hidden_size=64", "data.batch.max_sentences=128", "trainer.max_steps=100", "trainer.validate_every=50",
        "trainer.validation_sentences=50", "trainer.num_threads=1", "trainer.allocator=default",
        "trainer.matmul_precision=highest", "logger=csv",
    )  # fmt: skip
    (path,) = commands.folder.glob("outputs/reverse/*/run.json")
    facts = json.loads(path.read_text())
    assert facts["data"]["pairs"]["train"] == 1_000_000
    assert facts["peak_memory_mb"] < LIMIT_MB

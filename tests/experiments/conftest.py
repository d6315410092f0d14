"""A tiny corpus and tiny networks for the benchmark's tests; nothing here depends on speed."""

import pytest

from experiments.speed.corpus import synthetic_corpus
from experiments.speed.product import Bench
from experiments.speed.results import FOLDER
from experiments.speed.workloads import read_plan

README = FOLDER.with_name("README.md")
PAIRS = {"train": 60, "validation": 8, "test": 8}
TINY = ["encoder.hidden_size=8", "decoder.hidden_size=8", "embedding.embedding_size=6", "data.batch.max_sentences=16"]
LIMITS = ["trainer.max_steps=4", "trainer.validate_every=4", "trainer.validation_sentences=1", "trainer.log_every=1"]


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    scratch = tmp_path_factory.mktemp("speed")
    return Bench(plan=read_plan(), corpus=synthetic_corpus(scratch, 1, PAIRS), scratch=scratch, threads=1)


TIED = ("transformer_tiny", "vaswani_2017")  # models whose embeddings serve both sides and the output


def tiny_words(bench: Bench, workload: str, *words: str) -> list[str]:
    """Words of 4 steps of a tiny network on 60 pairs in batches of 16: one epoch."""
    tied = ["embedding.embedding_size=8", "data.vocabulary.shared=true"] if workload in TIED else []
    return [*bench.words(bench.plan.workloads[workload]), *TINY, *LIMITS, *tied, *words]

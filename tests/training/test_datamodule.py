"""Batches of validation need no more memory than those of training."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from s2s_lab.data.corpora.parallel import ParallelCorpus
from s2s_lab.training.datamodule import VALIDATION_TOKENS, Seq2SeqDataModule
from tests.data.test_prepare import run


@pytest.mark.parametrize(("sentences", "tokens"), [(4, None), (64, None), (500, None), (None, 300), (None, 5000)])
def test_validation_batches_are_bounded_by_those_of_training(
    sentences: int | None, tokens: int | None, tmp_path: Path
) -> None:
    for split, count in (("train", 600), ("valid", 700)):
        lines = "".join("a " * (3 + row % 20) + "b\n" for row in range(count)) + "c " * 200 * (split == "valid") + "d\n"
        for side in ("source", "target"):
            (tmp_path / f"{split}.{side}").write_text(lines)
    nodes = [{side: f"{split}.{side}" for side in ("source", "target")} for split in ("train", "valid")]
    corpus = ParallelCorpus(train=nodes[0], validation=nodes[1], root=str(tmp_path))
    module = Seq2SeqDataModule(
        prepared=run(corpus, tmp_path / "cache"), max_sentences=sentences, max_tokens=tokens, seed=1,
        sample=np.arange(50), num_workers=0,
    )  # fmt: skip
    module.trainer = SimpleNamespace(global_rank=0, world_size=1)  # type: ignore[assignment]
    trained = max(batch.targets.numel() for batch in module.train_dataloader())
    for loader, count in zip(module.val_dataloader(), (701, 50), strict=True):
        batches = list(loader)
        assert sum(len(batch.index) for batch in batches) == count
        for batch in batches:
            assert len(batch.index) <= 256
            assert batch.targets.numel() <= max(trained, VALIDATION_TOKENS) or len(batch.index) == 1


def test_validation_batches_are_the_same_whatever_epoch_a_training_goes_on_in(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    for split in ("train", "valid"):
        for side in ("source", "target"):
            lines = ("a " * int(length) + "b\n" for length in generator.integers(1, 60, 400))
            (tmp_path / f"{split}.{side}").write_text("".join(lines))
    nodes = [{side: f"{split}.{side}" for side in ("source", "target")} for split in ("train", "valid")]
    corpus = ParallelCorpus(train=nodes[0], validation=nodes[1], root=str(tmp_path))
    prepared = run(corpus, tmp_path / "cache")
    found, limits = [], set()
    for epoch in range(8):
        module = Seq2SeqDataModule(
            prepared=prepared, max_sentences=None, max_tokens=VALIDATION_TOKENS * 2, seed=1,
            sample=np.arange(50), num_workers=0,
        )  # fmt: skip
        module.trainer = SimpleNamespace(global_rank=0, world_size=1)  # type: ignore[assignment]
        module.training_batches.set_epoch(epoch)
        limits.add(len(module.training_batches.largest().indices))
        found.append([[batch.index.tolist() for batch in loader] for loader in module.val_dataloader()])
        assert module.training_batches.epoch == epoch
    assert len(limits) > 1, "the largest batches of the epochs differ, or this shows nothing"
    assert all(one == found[0] for one in found)

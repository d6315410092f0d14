"""A training may start from word vectors of files: trained or frozen, with their coverage on record."""

from pathlib import Path

import pytest
import torch

from s2s_lab.assemble.inference import load_model
from s2s_lab.faults import RequestError
from tests.assemble.test_experiment import frozen, run
from tests.assemble.test_init import corpus

WIDTH = 6  # as in TINY


def vectors(path: Path) -> dict[str, list[float]]:
    given = {token: [float(ord(token)) / 100 + place for place in range(WIDTH)] for token in "abz"}
    path.write_text("".join(f"{token} {' '.join(map(str, row))}\n" for token, row in given.items()))
    return given


@pytest.mark.parametrize("keep", ["true", "false"])
def test_given_vectors_are_frozen_or_trained_and_their_coverage_recorded(keep: str, tmp_path: Path) -> None:
    given = vectors(tmp_path / "vectors.txt")
    made = run(
        tmp_path / "run", *corpus(tmp_path / "texts", "first"), "embedding=pretrained", "embedding.embedding_size=6",
        f"embedding.source_vectors={tmp_path}/vectors.txt", f"embedding.frozen={keep}",
    )  # fmt: skip
    facts = made.read()
    assert facts["vectors"]["source"] == {"file": f"{tmp_path}/vectors.txt", "found": 2, "tokens": 4}
    assert "target" not in facts["vectors"]
    assert "has vectors for 2 of 4 source tokens (50.0 %)" in made.log_file.read_text()
    (tmp_path / "vectors.txt").unlink()  # the model needs it no more
    model = load_model(made.path, device=torch.device("cpu"))
    tokens = model.source.vocabulary.tokens
    table = model.network.source_embedding.weight.detach()
    for token in "ab":
        kept = torch.equal(table[tokens.index(token)], torch.tensor(given[token]))
        assert kept == (keep == "true")
        torch.testing.assert_close(table[tokens.index(token)], torch.tensor(given[token]), atol=0.1, rtol=0.0)


def test_what_a_job_is_given_counts_by_what_it_holds_and_not_by_where_it_lies(tmp_path: Path) -> None:
    texts = corpus(tmp_path / "texts", "first")
    place, copy = tmp_path / "vectors.txt", tmp_path / "copy.txt"
    vectors(place)
    copy.write_bytes(place.read_bytes())
    words = [*texts, "embedding=pretrained", "embedding.embedding_size=6"]

    def hash_of(path: Path) -> str:
        return frozen(tmp_path / "run", *words, f"embedding.source_vectors={path}").read()["job_hash"]

    first = hash_of(place)
    assert hash_of(copy) == first
    place.write_text(place.read_text().replace("0.97", "0.98"))
    assert hash_of(place) != first
    runs = [run(tmp_path / name, *corpus(tmp_path / f"of {name}", name)) for name in ("first", "second")]
    again = run(tmp_path / "again", *texts)
    given = [frozen(tmp_path / "run", *texts, f"data.vocabulary_from={each.path}") for each in (*runs, again)]
    hashes = [each.read()["job_hash"] for each in given]
    assert hashes[0] == hashes[2] != hashes[1]


def test_a_missing_file_is_refused_before_the_job_and_a_wrong_width_at_its_start(tmp_path: Path) -> None:
    words = [*corpus(tmp_path / "texts", "first"), "embedding=pretrained"]
    path = f"embedding.target_vectors={tmp_path}/vectors.txt"
    with pytest.raises(RequestError, match=r"^embedding\.target_vectors=.*vectors.txt: no such file"):
        frozen(tmp_path / "run", *words, path)
    vectors(tmp_path / "vectors.txt")
    with pytest.raises(RequestError, match=r"vectors.txt, line 1: 6 numbers after the token, expected 7"):
        run(tmp_path / "run", *words, path, "embedding.embedding_size=7")

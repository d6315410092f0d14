"""What holds for every option of conf/decoding with a trained network: lanes and searches change nothing."""

import time
from typing import Any

import pytest
import torch

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.inference import build_strategy, load_model
from s2s_lab.assemble.options import groups
from s2s_lab.decoding.task import Demands
from s2s_lab.inference.decode import decode
from s2s_lab.inference.encodings import Encodings, encode
from s2s_lab.inference.frozen import FrozenModel, length_sorted_batches
from s2s_lab.nested import leaves, map_leaves
from tests.assemble.test_experiment import run as train
from tests.assemble.test_grid import CPU, SMALL


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> FrozenModel:
    run = train(tmp_path_factory.mktemp("runs"), "model=gru_attention", "data.corpus.test_size=17")
    return load_model(run.path, device=CPU, precision="float64")


@pytest.mark.parametrize("option", groups()["decoding"])
def test_every_strategy_finds_the_same_in_several_lanes(option: str, model: FrozenModel) -> None:
    sources = [model.source.ids(line) for line in ("a b c d", "e f", "c c c c c c", "b", "d e a", "f a b e c")]
    words = [word for word in SMALL if "max_length" not in word]
    job = plain(compose_jobs("evaluate", [*words, f"decoding={option}"], multirun=False, folder=None)[0])
    limit = {"max_length": 6} if "max_length" in job["decoding"] else {}
    more = {"budget": 20} if option in ("exact", "best_first") else {}
    strategy = build_strategy(job["decoding"] | limit | more, target=model.target)
    given: dict[str, Any] = {"device": CPU, "encodings": Encodings(1 << 20)}
    if option == "forced":
        given["demands"] = Demands(targets=[(4, 5), (5,), (), (6, 4, 4), (5, 5), (4,)])
    found = []
    for lanes in (1, 2, 3):
        began = time.perf_counter()
        decoded = decode(model.network, strategy, length_sorted_batches(sources, sentences=2), lanes=lanes, **given)
        passed = time.perf_counter() - began
        found.append([(each.ids, each.score) for _, nbest in sorted(decoded.hypotheses.items()) for each in nbest])
        assert 0 < decoded.encoding_seconds < decoded.seconds
        assert decoded.seconds < passed if lanes == 1 else decoded.seconds > 0
    for other in found[1:]:
        assert [ids for ids, _ in other] == [ids for ids, _ in found[0]]
        assert [score for _, score in other] == pytest.approx([score for _, score in found[0]], rel=1e-9)


@pytest.mark.parametrize("option", groups()["decoding"])
def test_no_strategy_changes_the_encoding_that_it_is_handed(option: str, model: FrozenModel) -> None:
    sources = [model.source.ids(line) for line in ("a b c d", "e f")]
    (batch,) = length_sorted_batches(sources, sentences=2)
    words = [word for word in SMALL if "max_length" not in word]
    job = compose_jobs("evaluate", [*words, f"decoding={option}"], multirun=False, folder=None)[0]
    more = {"budget": 20} if option in ("exact", "best_first") else {}
    strategy = build_strategy(plain(job)["decoding"] | more, target=model.target)
    memory, state = encode(model.network, batch)[:2]
    before = map_leaves(torch.clone, (memory, state))
    strategy.decode(
        model.network.step,
        state,
        memory,
        source_lengths=batch.sources[0][1],
        sentence_index=batch.index,
        exact_lengths=None if option == "forced" else torch.tensor([4, 4]),
        demands=Demands(targets=[(4, 5), (5,)]) if option == "forced" else None,
    )
    same: list[bool] = []
    pairs = iter(leaves((memory, state)))
    map_leaves(lambda leaf: same.append(torch.equal(leaf, next(pairs))) or leaf, before)
    assert same and all(same)

"""Views of networks: each equals plain decoding where it says nothing new, and its definition where it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from s2s_lab.assemble.inference import build_strategy
from s2s_lab.assemble.network import build_network
from s2s_lab.data.batch import Batch
from s2s_lab.data.vocabulary import BOS, EOS, PAD
from s2s_lab.decoding.base import Hypothesis
from s2s_lab.faults import RequestError
from s2s_lab.inference.decode import decode
from s2s_lab.inference.ensemble import Ensemble
from s2s_lab.inference.frozen import length_sorted_batches
from s2s_lab.inference.fusion import ShallowFusion
from s2s_lab.inference.score import score_by_steps, score_targets
from s2s_lab.inference.view import Network
from s2s_lab.inference.wait_k import WaitK, delays
from s2s_lab.metrics.average_lagging import AverageLagging
from s2s_lab.models.seq2seq import Seq2Seq

CONF = Path(__file__).resolve().parents[2] / "conf"
VOCAB, CPU = 9, torch.device("cpu")
SOURCES = [[4, 5, 6, 7, 3], [8, 3], [5, 5, 4, 3], [3], [7, 8, 7, 6, 5, 4, 3], [6, 4, 3]]
TARGETS = [[5, 4, 3], [8, 8, 8, 8, 3], [3], [4, 3], [7, 6, 5, 4, 3], [6, 3]]
STRATEGIES = {
    "greedy": {"_target_": "s2s_lab.decoding.greedy.GreedySearch", "max_length": 7},
    "beam": {"_target_": "s2s_lab.decoding.beam.BeamSearch", "max_length": 7, "size": 3, "num_hypotheses": 3},
    "sampling": {"_target_": "s2s_lab.decoding.sampling.Sampling", "max_length": 7, "num_samples": 3},
}


def node(group: str, option: str) -> dict[str, Any]:
    found = yaml.safe_load((CONF / group / f"{option}.yaml").read_text(encoding="utf-8"))
    for parent in found.pop("defaults", []):
        found = node(group, parent) | found
    return found | {key: 8 for key in ("hidden_size", "embedding_size") if key in found}


def network(
    seed: int, *, cell: str = "gru", attention: str = "additive", decoder: str = "attend_last", **more: str
) -> Seq2Seq:
    torch.manual_seed(seed)
    parts = {
        "cell": cell, "encoder": "recurrent", "bridge": "projected", "attention": attention, "decoder": decoder,
        "embedding": "separate", "output": "linear", "initialization": "torch_default", **more,
    }  # fmt: skip
    settings = {group: node(group, option) for group, option in parts.items()}
    made = build_network(settings, source_size=VOCAB, target_size=VOCAB, shared=False).double().eval()
    made.output.requires_grad_(False)
    for parameter in made.parameters():
        parameter.requires_grad_(False).mul_(3.0)  # far from uniform
    return made


def attentional() -> Seq2Seq:
    return network(1)


def other() -> Seq2Seq:
    return network(2, cell="lstm", attention="start_only", bridge="projected")


def language_model() -> Seq2Seq:
    return network(3, cell="lstm", encoder="nothing", bridge="zero", attention="start_only")


def decoded(view: Network, strategy: str, size: int = 4) -> dict[int, list[Hypothesis]]:
    found = decode(
        view, build_strategy(STRATEGIES[strategy]), length_sorted_batches(SOURCES, sentences=size), device=CPU
    )
    return found.hypotheses


def scored(view: Network, targets: list[list[int]], sources: list[list[int]] = SOURCES) -> list[float]:
    found = score_by_steps(view, length_sorted_batches(sources, targets, sentences=4), device=CPU)
    return [found[index][0] for index in sorted(found)]


def assert_same(found: dict[int, list[Hypothesis]], expected: dict[int, list[Hypothesis]]) -> None:
    assert found.keys() == expected.keys()
    for index, nbest in expected.items():
        assert [each.ids for each in found[index]] == [each.ids for each in nbest]
        assert [each.log_prob for each in found[index]] == pytest.approx([e.log_prob for e in nbest], abs=1e-9)


VIEWS = {
    "ensemble": lambda: Ensemble([attentional(), other()], weights=[2.0, 1.0]),
    "ensemble of log-probabilities": lambda: Ensemble([attentional(), other()], mean="log_probabilities"),
    "fusion": lambda: ShallowFusion(attentional(), language_model(), weight=0.4),
    "wait-k": lambda: WaitK(attentional(), 2),
    "wait-k of an ensemble with a language model": lambda: ShallowFusion(
        WaitK(Ensemble([attentional(), other()]), 1), language_model(), weight=0.4
    ),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_works_under_a_strategy_whatever_the_batch_and_its_log_probabilities_are_those_of_its_steps(
    name: str, strategy: str
) -> None:
    view = VIEWS[name]()
    found = decoded(view, strategy)
    assert_same(decoded(view, strategy, size=1), found)
    for n in range(1 if strategy == "greedy" else 3):
        best = [found[index][n] for index in range(len(SOURCES))]
        targets = [[*each.ids, EOS] if each.finished else list(each.ids) for each in best]
        assert [each.log_prob for each in best] == pytest.approx(scored(view, targets), abs=1e-9)


@pytest.mark.parametrize("name", VIEWS)
def test_padding_of_the_sources_changes_nothing(name: str) -> None:
    view = VIEWS[name]()
    batch = next(length_sorted_batches(SOURCES, sentences=6))
    ((values, lengths),) = batch.sources
    wide = torch.nn.functional.pad(values, (0, 3), value=PAD)
    previous = torch.full((6,), BOS)
    with torch.inference_mode():
        found = [view.step(previous, *reversed(view.start(((ids, lengths),))))[0] for ids in (values, wide)]
    torch.testing.assert_close(found[0], found[1], atol=1e-12, rtol=0)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("mean", ["probabilities", "log_probabilities"])
def test_one_member_two_copies_and_a_weight_of_nothing_are_one_network(strategy: str, mean: Any) -> None:
    one = attentional()
    expected = decoded(one, strategy)
    assert_same(decoded(Ensemble([one], mean=mean), strategy), expected)
    assert_same(decoded(Ensemble([one, one], mean=mean), strategy), expected)
    assert_same(decoded(Ensemble([one, other()], weights=[1.0, 0.0], mean=mean), strategy), expected)


def test_the_means_are_those_of_the_members() -> None:
    members = [attentional(), other()]
    batch = next(length_sorted_batches(SOURCES, TARGETS, sentences=6))
    with torch.inference_mode():
        starts = [member.start(batch.sources) for member in members]
        made = [
            m.step(batch.inputs[:, 0], state, memory)[0].log_softmax(-1)
            for m, (memory, state) in zip(members, starts, strict=True)
        ]
        both = Ensemble(members, weights=[3.0, 1.0])
        found = both.step(batch.inputs[:, 0], *reversed(both.start(batch.sources)))[0]
    torch.testing.assert_close(found.exp(), 0.75 * made[0].exp() + 0.25 * made[1].exp())
    apart = [scored(member, TARGETS) for member in members]
    together = scored(Ensemble(members, weights=[3.0, 1.0], mean="log_probabilities"), TARGETS)
    assert together == pytest.approx([0.75 * one + 0.25 * two for one, two in zip(*apart, strict=True)], abs=1e-9)


def test_attention_is_that_of_the_members_that_have_any() -> None:
    one, two = attentional(), network(5)
    batch = next(length_sorted_batches(SOURCES, sentences=6))
    previous = torch.full((6,), BOS)

    def shown(view: Network) -> Any:
        with torch.inference_mode():
            return view.step(previous, *reversed(view.start(batch.sources)))[2]

    assert shown(Ensemble([other(), other()])) is None
    torch.testing.assert_close(shown(Ensemble([one, other()])), shown(one))
    torch.testing.assert_close(shown(Ensemble([one, two], weights=[1, 3])), 0.25 * shown(one) + 0.75 * shown(two))


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [-1.0, 2.0], [float("inf"), 1.0], ["a", 1]])
def test_weights_that_fit_no_ensemble_are_refused(weights: Any) -> None:
    with pytest.raises(RequestError, match=r"together_weights is .* for 2 members, expected a number"):
        Ensemble([attentional(), other()], weights=weights)


def test_teacher_forcing_gives_what_steps_give() -> None:
    batches = list(length_sorted_batches(SOURCES, TARGETS, sentences=4))
    forced = score_targets(attentional(), batches, device=CPU)
    stepped = score_by_steps(attentional(), batches, device=CPU)
    assert {key: value[1] for key, value in forced.items()} == {key: value[1] for key, value in stepped.items()}
    assert [stepped[key][0] for key in forced] == pytest.approx([value[0] for value in forced.values()], abs=1e-9)


def test_fusion_adds_the_language_models_log_probability_to_each_hypothesis() -> None:
    model, other_model = attentional(), language_model()
    fused = ShallowFusion(model, other_model, weight=0.3)
    expected = [one + 0.3 * two for one, two in zip(scored(model, TARGETS), scored(other_model, TARGETS), strict=True)]
    assert scored(fused, TARGETS) == pytest.approx(expected, abs=1e-9)


def test_a_language_model_gives_the_same_whatever_the_source() -> None:
    backwards = SOURCES[::-1]
    assert scored(language_model(), TARGETS) == pytest.approx(scored(language_model(), TARGETS, backwards), abs=1e-12)
    with pytest.raises(RequestError, match="language_model_weight is 0"):
        ShallowFusion(attentional(), language_model(), weight=0)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("make", [attentional, other])
def test_waiting_for_the_whole_source_is_ordinary_decoding(strategy: str, make: Any) -> None:
    assert_same(decoded(WaitK(make(), max(map(len, SOURCES))), strategy), decoded(make(), strategy))


def test_each_step_has_read_k_and_as_many_positions_as_symbols_are_written() -> None:
    """Positions that are not read yet have no part in a symbol; those that are read have."""
    model, batch = attentional(), next(length_sorted_batches(SOURCES[4:5], sentences=1))
    ((values, lengths),) = batch.sources
    fed = torch.tensor([BOS, 4, 7, 5, 8, 6])
    for k in (1, 3):
        view = WaitK(model, k)
        for position in range(values.size(1)):
            other_values = values.clone()
            other_values[0, position] = 4 + (int(values[0, position]) - 3) % 5
            with torch.inference_mode():
                states = [view.start(((ids, lengths),)) for ids in (values, other_values)]
                memories, following = [each[0] for each in states], [each[1] for each in states]
                for step, symbol in enumerate(fed):
                    made = [
                        view.step(symbol[None], state, memory)
                        for state, memory in zip(following, memories, strict=True)
                    ]
                    following = [each[1] for each in made]
                    assert torch.equal(made[0][0], made[1][0]) == (position >= k + step)


def test_hypotheses_of_one_sentence_may_be_at_different_steps() -> None:
    view = WaitK(attentional(), 2)
    batch: Batch = next(length_sorted_batches(SOURCES, sentences=6))
    with torch.inference_mode():
        memory, first = view.start(batch.sources)
        _, second, _ = view.step(torch.full((6,), BOS), first, memory)

        def mixed(one: Any, two: Any) -> Any:
            if isinstance(one, tuple):
                parts = [mixed(a, b) for a, b in zip(one, two, strict=True)]
                return type(one)(*parts) if hasattr(one, "_fields") else tuple(parts)
            return torch.stack((one, two), 1).flatten(0, 1)

        previous = torch.full((6,), 5)
        wide: Any = view.step(previous.repeat_interleave(2), mixed(first, second), memory)
        for offset, state in enumerate((first, second)):
            alone: Any = view.step(previous, state, memory)
            torch.testing.assert_close(wide[0][offset::2], alone[0])
            torch.testing.assert_close(wide[2][offset::2], alone[2])


def test_average_lagging_is_k_where_source_and_target_are_equally_long() -> None:
    """The paper's own property: a wait-k reader of a perfect pace lags k positions behind."""
    for k in (1, 3, 5):
        assert AverageLagging().score([delays(9, 9, k)], [9]).value == pytest.approx(k)
    assert AverageLagging().score([delays(6, 3, 6)], [6]).value == 6.0  # who waits for all lags behind all


def test_average_lagging_follows_its_definition_and_is_a_mean() -> None:
    read, length = [2, 2, 3, 5, 5, 5], 5
    tau = 4
    pace = len(read) / length
    by_hand = sum(read[t - 1] - (t - 1) / pace for t in range(1, tau + 1)) / tau
    metric = AverageLagging()
    assert metric.score([read], [length]).value == pytest.approx(by_hand)
    both = metric.score([read, delays(9, 9, 3)], [length, 9])
    assert both.value == pytest.approx((by_hand + 3) / 2) and both.statistics.shape == (2, 2)
    assert AverageLagging.from_signature("average_lagging", metric.signature()) is not None
    for wrong in (([[]], [3]), ([], []), ([[1]], [1, 2])):
        with pytest.raises(RequestError, match="average_lagging: delays of"):
            metric.score(*wrong)

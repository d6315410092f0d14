"""The mean of weights: exact sums, integers of the last, tied tensors, and weights that are put back."""

from typing import Any

import pytest
import torch
from torch import nn

from s2s_lab.training.callbacks.recent_weights import copied_weights, holding, mean_weights, put_weights


def test_sums_are_of_float64_and_means_of_the_tensors_own_types() -> None:
    kept = [{"a": torch.tensor([value])} for value in (1e8, 1.0, -1e8)]
    assert torch.equal(mean_weights(kept)["a"], torch.tensor([1 / 3]))
    halves = [{"a": torch.tensor([value], dtype=torch.bfloat16)} for value in (256.0, 1.0, 1.0)]
    assert torch.equal(mean_weights(halves)["a"], torch.tensor([86.0], dtype=torch.bfloat16))


def test_the_mean_of_equal_weights_is_bitwise_those_weights() -> None:
    weights = {"a": torch.randn(50), "b": torch.randn(5, dtype=torch.float64)}
    for count in (1, 2, 4, 7, 10):
        means = mean_weights([weights] * count)
        assert torch.equal(means["a"], weights["a"])
        assert torch.allclose(means["b"], weights["b"], rtol=1e-15)


def test_integers_and_flags_are_those_of_the_last() -> None:
    kept = [{"steps": torch.tensor(step), "flag": torch.tensor(step > 1)} for step in (1, 2, 6)]
    means = mean_weights(kept)
    assert torch.equal(means["steps"], torch.tensor(6)) and torch.equal(means["flag"], torch.tensor(True))


def tied() -> Any:
    network = nn.ModuleDict({"one": nn.Linear(3, 3), "other": nn.Linear(3, 3)})
    network["other"].weight = network["one"].weight
    return network


def test_tied_weights_are_kept_once_and_stay_tied() -> None:
    network = tied()
    kept = copied_weights(network)
    assert list(kept) == ["one.weight", "one.bias", "other.bias"]
    put_weights(network, {name: value + 1 for name, value in kept.items()})
    assert network["one"].weight is network["other"].weight
    assert torch.equal(network["other"].weight, kept["one.weight"] + 1)
    assert not torch.equal(kept["one.weight"], network["one"].weight), "copies do not follow the network"


def test_weights_are_put_back_whatever_ends_the_block() -> None:
    network = tied()
    before = copied_weights(network)
    with pytest.raises(KeyboardInterrupt), holding(network, {name: value * 2 for name, value in before.items()}):
        assert torch.equal(network["one"].weight, before["one.weight"] * 2)
        raise KeyboardInterrupt
    assert all(torch.equal(value, before[name]) for name, value in copied_weights(network).items())

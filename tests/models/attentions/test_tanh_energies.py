"""Energies v . tanh(x) are that, however they are computed, and so are their gradients."""

from collections.abc import Iterator

import pytest
import torch

from s2s_lab.models.attentions import tanh_energies as module
from s2s_lab.models.attentions.tanh_energies import (
    SIGMOID,
    TANH,
    squashing_on,
    tanh_energies,
    tanh_energies_with,
    tanh_keys,
)

BATCH, QUERIES, SOURCE_LEN, SIZE, FEATURES = 2, 3, 4, 5, 2


@pytest.fixture(params=[SIGMOID, TANH], ids=["sigmoid", "tanh"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[module.Squashing]:
    """Stands for a device that takes one of the two ways."""
    monkeypatch.setattr(module, "squashing_on", lambda device: request.param)
    yield request.param


def random(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


@pytest.mark.usefixtures("how")
def test_both_ways_give_the_tanh_and_pass_gradcheck():
    query, keys, direction = random(BATCH, QUERIES, SIZE), random(BATCH, SOURCE_LEN, SIZE), random(1, SIZE)

    def energies(query, keys, direction):
        return tanh_energies(query, tanh_keys(keys), direction)

    expected = torch.tanh(query.unsqueeze(2) + keys.unsqueeze(1)) @ direction[0]
    torch.testing.assert_close(energies(query, keys, direction), expected)
    assert torch.autograd.gradcheck(energies, (query, keys, direction))


@pytest.mark.usefixtures("how")
def test_both_ways_take_features_of_positions():
    query, keys, direction = random(BATCH, QUERIES, SIZE), random(BATCH, SOURCE_LEN, SIZE), random(1, SIZE)
    features, projection = random(BATCH, QUERIES, SOURCE_LEN, FEATURES), random(SIZE, FEATURES)

    def energies(query, keys, features, projection, direction):
        return tanh_energies_with(query, tanh_keys(keys), features, projection, direction)

    sums = query.unsqueeze(2) + keys.unsqueeze(1) + features @ projection.t()
    given = (query, keys, features, projection, direction)
    torch.testing.assert_close(energies(*given), torch.tanh(sums) @ direction[0])
    assert torch.autograd.gradcheck(energies, given)


@torch.no_grad()
def test_what_an_accelerator_computes_in_bfloat16_keeps_its_digits(monkeypatch: pytest.MonkeyPatch):
    """Of small sums tanh keeps all digits, of which a sigmoid near one half would lose all but the first."""
    query, keys = (0.1 * random(8, 16, 256).bfloat16() for _ in range(2))
    direction = (0.05 + 0.05 * random(1, 256)).bfloat16()
    exact = torch.tanh(query.double().unsqueeze(2) + keys.double().unsqueeze(1)) @ direction.double()[0]

    def error(how: module.Squashing) -> float:
        monkeypatch.setattr(module, "squashing_on", lambda device: how)
        energies = tanh_energies(query, how.scale * keys, direction)
        return float((energies.double() - exact).std() / exact.std())

    assert error(squashing_on(torch.device("cuda"))) < 0.01 < error(SIGMOID)


def test_a_cpus_energies_keep_their_digits_under_autocast():
    query, direction = 0.1 * random(8, 16, 256).bfloat16(), 0.05 + 0.05 * random(1, 256)
    keys = tanh_keys(0.1 * random(8, 16, 256).bfloat16())
    scale = squashing_on(keys.device).scale
    exact = torch.tanh(query.double().unsqueeze(2) + keys.double().unsqueeze(1) / scale) @ direction.double()[0]
    with torch.autocast("cpu", torch.bfloat16):
        energies = tanh_energies(query, keys, direction)
    assert float((energies.double() - exact).detach().std() / exact.detach().std()) < 1e-4

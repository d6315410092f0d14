"""The noise is uniform, without order, and a function of its four arguments alone."""

import numpy as np
import torch
from scipy import stats

from s2s_lab.decoding.noise import child_keys, gumbel, mix, sample_keys, uniform


def test_mix_equals_splitmix64_in_plain_integers() -> None:
    def plain(value: int) -> int:
        mask = (1 << 64) - 1
        value = (value + 0x9E3779B97F4A7C15) & mask
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
        return value ^ (value >> 31)

    values = [0, 1, -1, 12345678901234567, -(2**63), 2**63 - 1]
    assert [int(mixed) % 2**64 for mixed in mix(torch.tensor(values))] == [plain(value % 2**64) for value in values]
    assert plain(0) == 0xE220A8397B1DCDAF  # the first output published for seed 0


def test_numbers_lie_in_the_half_open_unit_interval_and_are_uniform() -> None:
    keys = sample_keys(3, torch.arange(300), 10)
    numbers = torch.stack([uniform(keys, step) for step in range(10)])
    assert float(numbers.min()) >= 0 and float(numbers.max()) < 1
    assert stats.kstest(numbers.flatten().numpy(), "uniform").pvalue > 0.001
    assert numbers.unique().numel() == numbers.numel()


def test_neighbouring_seeds_sentences_samples_and_steps_are_unrelated() -> None:
    def numbers(seed: int, first: int, step: int) -> np.ndarray:
        return uniform(sample_keys(seed, torch.arange(first, first + 2000), 3), step).numpy()

    here = numbers(0, 0, 0)
    neighbours = [numbers(1, 0, 0), numbers(0, 1, 0), numbers(0, 0, 1), np.roll(here, 1, axis=1)]
    for other in neighbours:
        assert abs(np.corrcoef(here.ravel(), other.ravel())[0, 1]) < 0.05


def test_a_sentence_keeps_its_numbers_in_any_batch_and_a_sample_in_any_number() -> None:
    whole = sample_keys(5, torch.arange(10), 4)
    some = torch.tensor([7, 2])
    assert torch.equal(sample_keys(5, some, 4), whole[some])
    assert torch.equal(sample_keys(5, some, 2), whole[some, :2])


def test_gumbel_numbers_are_finite_standard_and_a_function_of_key_and_place() -> None:
    keys = sample_keys(3, torch.arange(300), 2)
    numbers = gumbel(keys, torch.arange(9))
    assert numbers.shape == (300, 2, 9) and bool(torch.isfinite(numbers).all())
    assert stats.kstest(numbers.flatten().numpy(), "gumbel_r").pvalue > 0.001
    assert torch.equal(gumbel(keys[7:9], torch.arange(4, 6)), numbers[7:9, :, 4:6])


def test_the_noise_of_a_childs_children_has_nothing_to_do_with_its_own_or_its_siblings() -> None:
    keys = sample_keys(3, torch.arange(2000), 1)
    own = gumbel(keys, torch.arange(4))
    children = torch.stack(
        [gumbel(child_keys(keys, torch.full_like(keys, id)), torch.arange(4)) for id in range(4)], -1
    )
    table = np.concatenate((own.reshape(2000, -1).numpy(), children.reshape(2000, -1).numpy()), 1)
    correlations = np.corrcoef(table.T) - np.eye(20)
    assert np.abs(correlations).max() < 0.1

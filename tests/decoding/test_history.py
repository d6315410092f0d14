"""The history lays every step's rows at the places of their sentences."""

import torch

from s2s_lab.decoding.history import History


def test_rows_of_sentences_that_left_are_zero_and_all_others_in_place() -> None:
    history = History(4, torch.device("cpu"))
    everything = torch.arange(1, 25).view(6, 4)  # (steps, batch)
    flags = torch.ones(6, 4, 2, dtype=torch.bool)
    staying = torch.arange(4)
    for step, kept in enumerate([None, [0, 2, 3], None, [1], None, None]):
        history.record(everything[step, staying], flags[step, staying])
        if kept is not None:
            history.keep(torch.tensor(kept))
            staying = staying[kept]
    values, shown = history.stack()
    present = torch.zeros(6, 4, dtype=torch.bool)
    present[:2] = True
    present[2:4, [0, 2, 3]] = True
    present[4:, 2] = True
    assert torch.equal(values, everything * present)
    assert torch.equal(shown, present.unsqueeze(2).expand(-1, -1, 2))


def test_without_departures_the_steps_are_stacked_and_a_departure_after_the_last_step_is_none() -> None:
    history = History(2, torch.device("cpu"))
    for step in range(3):
        history.record(torch.tensor([step, -step]))
    history.keep(torch.tensor([1]))
    assert history.stack()[0].tolist() == [[0, 0], [1, -1], [2, -2]]

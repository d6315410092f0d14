"""What `--help` offers, and whether the command takes it."""

import pytest

from s2s_lab.assemble.configuration import compose_jobs
from s2s_lab.assemble.options import groups, groups_of
from s2s_lab.faults import RequestError

NEEDED = {"train": [], "evaluate": ["runs=[it]"], "translate": ["run=it"]}


@pytest.mark.parametrize("command", NEEDED)
def test_every_group_is_chosen_by_the_word_that_help_names_it_by(command: str) -> None:
    for word, options in groups_of(command).items():
        try:
            compose_jobs(command, [*NEEDED[command], f"{word}={options[0]}"], multirun=False, folder=None)
        except RequestError as error:  # an option may lack a companion, but it is known
            assert "unknown" not in str(error), word


def test_train_offers_every_group_but_those_of_decoding_alone() -> None:
    offered = {word.partition("@")[0] for word in groups_of("train")}
    assert set(groups()) - offered == {"constraint"}
    assert "normalizer@attention.normalizer" in groups_of("train")

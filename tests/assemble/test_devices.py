"""What a machine cannot run is refused in one line, before anything is read."""

import pytest
import torch

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.devices import check_devices, threads
from s2s_lab.assemble.job import check_parts
from s2s_lab.assemble.options import groups
from s2s_lab.faults import RequestError


def settings(*words: str) -> dict:
    return plain(compose_jobs("train", list(words), multirun=False, folder=None)[0])["trainer"]


@pytest.mark.parametrize(
    ("found", "words", "message"),
    [
        (0, ["trainer=gpu"], "trainer.accelerator=gpu: this machine has no CUDA device"),
        (0, ["trainer=ddp"], "trainer.accelerator=gpu: this machine has no CUDA device"),
        (1, ["trainer=ddp"], "trainer.devices=2: this machine has 1 CUDA device"),
        (2, ["trainer.devices=3"], "trainer.devices=3: this machine has 2 CUDA devices"),
        (0, ["trainer=fsdp"], "trainer.strategy=fsdp needs CUDA devices; this machine has no CUDA device"),
        (2, ["trainer=fsdp", "trainer.accelerator=cpu"], "trainer.strategy=fsdp needs CUDA devices"),
        (
            2,
            ["trainer=fsdp", "trainer.average_last=3"],
            "trainer.average_last=3: null is expected with trainer.strategy=fsdp",
        ),
        (2, ["trainer=hogwild", "trainer.accelerator=gpu"], "trainer.strategy=hogwild shares one machine's memory"),
        (0, ["trainer=hogwild", "trainer.num_nodes=2"], "trainer.num_nodes=1 are expected"),
    ],
)
def test_what_the_machine_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, found: int, words: list[str], message: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: found)
    with pytest.raises(RequestError) as caught:
        check_devices(settings(*words))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", groups()["trainer"])
def test_every_option_fits_a_machine_with_two_gpus(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_devices(settings(f"trainer={option}"))


def test_a_run_that_is_only_frozen_may_be_for_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    words = ["trainer=fsdp", "trainer.devices=8"]
    with pytest.raises(RequestError, match="fsdp needs CUDA"):
        check_parts(compose_jobs("train", words, multirun=False, folder=None)[0])
    check_parts(compose_jobs("train", [*words, "launch=false"], multirun=False, folder=None)[0])


def test_another_number_of_ranks_than_configured_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(RequestError, match=r"4 ranks were started for trainer\.devices=2 and trainer\.num_nodes=1"):
        check_devices(settings("trainer=ddp_cpu"))
    check_devices(settings("trainer=ddp_cpu", "trainer.num_nodes=2"))


@pytest.mark.parametrize("strategy", ["local_sgd", "hogwild"])
def test_updates_are_left_out_by_all_ranks_or_none(strategy: str) -> None:
    words = ["trainer.accelerator=cpu", f"trainer.strategy={strategy}"]
    check_devices(settings(*words))
    with pytest.raises(RequestError, match=r"skip_bad_batches=2: 0 is expected with trainer\.strategy"):
        check_devices(settings(*words, "trainer.skip_bad_batches=2"))


def test_ranks_share_the_cores_unless_told_otherwise() -> None:
    assert threads(settings("trainer.num_threads=3", "trainer.devices=2")) == 3
    assert threads({"num_threads": None, "devices": 1000}) == 1


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("trainer.num_nodes=0", r"trainer\.num_nodes=0: at least 1"),
        ("trainer.average_last=0", r"^trainer\.average_last=0: at least 1 is expected$"),
        ("trainer.averaging_period=0", r"trainer\.averaging_period=0: at least 1"),
        ("trainer.strategy=dpp", r"trainer\.strategy='dpp': .* did you mean ddp\?"),
    ],
)
def test_wrong_values_of_the_trainer_get_one_line(word: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        settings(word)

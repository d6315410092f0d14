"""The benchmark: its workloads, its options, and what it says to a wrong request."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.speed.__main__ import check, run
from experiments.speed.arguments import COMMANDS, parser
from experiments.speed.child import settings_of
from experiments.speed.decoding import fastest, pass_records, precisions
from experiments.speed.product import Bench, LeftOut
from experiments.speed.training import allocators
from experiments.speed.workloads import read_plan
from s2s_lab.assemble.configuration import compose_each
from s2s_lab.assemble.options import groups
from s2s_lab.faults import RequestError, RunError
from tests.experiments.conftest import README


def test_every_named_model_is_a_workload_and_all_of_them_compose(bench: Bench) -> None:
    plan = bench.plan
    assert [workload.name for workload in plan.chosen_workloads(["named"])] == groups()["model"]
    assert [workload.name for workload in plan.chosen_workloads(["all"])] == ["M1", "M2", *groups()["model"]]
    for workload in plan.chosen_workloads(["M2", "M1", "M2"]):
        for words in plan.settings.values():
            assert settings_of(bench.words(workload, words))["data"]["batch"]["max_sentences"] == 128


def test_m1_and_m2_are_the_models_they_are_said_to_be(bench: Bench) -> None:
    for name, cell, layers, attention, width in (("M1", "GRU", 1, "Additive", 256), ("M2", "LSTM", 2, "General", 512)):
        settings = settings_of(bench.words(bench.plan.workloads[name]))
        assert settings["cell"]["_target_"].endswith(f".{cell}Cell")
        assert settings["attention"]["_target_"].endswith(f".{attention}Attention")
        assert settings["decoder"]["input_feeding"] and settings["encoder"]["bidirectional"]
        assert settings["embedding"]["embedding_size"] == width
        assert {settings[side]["hidden_size"] for side in ("encoder", "decoder")} == {512}
        assert {settings[side]["num_layers"] for side in ("encoder", "decoder")} == {layers}
        assert not any(settings[side]["dropout"] for side in ("embedding", "encoder", "decoder"))


def test_options_are_those_of_the_product() -> None:
    assert {"float32", "bfloat16"} <= set(precisions())
    assert allocators()[0] == settings_of([])["trainer"]["allocator"]
    assert len(allocators()) == len(set(allocators())) > 1


def test_the_passes_of_an_evaluation_are_read() -> None:
    facts = {
        "sentences_per_second": 200.0, "tokens_per_second": 2500.0, "seconds": 5.0, "passes": [10.0, 4.0, 5.0],
        "signature": "greedy", "scores": [{"name": "bleu", "value": 31.5}, {"name": "chrf", "value": 50.0}],
        "shortlist": None,
    }  # fmt: skip
    records = pass_records(facts)
    assert [record["sentences_per_s"] for record in records] == [100.0, 250.0, 200.0]
    assert [record["tokens_per_s"] for record in records] == [1250.0, 3125.0, 2500.0]
    assert {(record["mean_length"], record["bleu"]) for record in records} == {(12.5, 31.5)}
    assert pass_records({**facts, "scores": []})[0]["bleu"] is None


def test_the_fastest_precision_is_so_in_the_median_pass() -> None:
    rates = {"int8": [1.0, 30.0, 30.0], "bfloat16": [90.0, 20.0, 20.0], "float32": [10.0, 10.0, 10.0]}
    assert fastest({name: [{"tokens_per_s": rate} for rate in each] for name, each in rates.items()}) == "int8"


def test_what_fails_is_told_and_left_out_unless_nothing_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    left_out, found = LeftOut(), []
    for place in range(3):
        with left_out.told():
            if place == 1:
                raise RunError("no such kernel")
            found.append(place)
    assert found == [0, 2] and "left out: no such kernel" in capsys.readouterr().err
    left_out.check(found)
    with pytest.raises(RunError, match="no such kernel"):
        left_out.check([])
    LeftOut().check([])
    with pytest.raises(RequestError), left_out.told():  # what the user has to mend is no failed measurement
        raise RequestError("wrong words")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("train --data nowhere", "nowhere"),
        ("train --workloads M9", "M9"),
        ("shares --shares-settings float8", "float8"),
        ("decode --precisions float1", "float1"),
        ("train --allocators mimalloc", "mimalloc"),
        ("growth --dimensions time", "time"),
        ("growth --workload M9", "M9"),
        ("train --rounds 0", "--rounds"),
        ("quality --seeds 0", "--seeds"),
        ("quality --settings float8", "float8"),
        ("data --pairs 10,x", "'x'"),
        ("peer --peer-python nowhere --peer-drivers . --peer-home .", "--peer-python nowhere"),
        (f"peer --peer-python {sys.executable} --peer-drivers nowhere --peer-home .", "--peer-drivers nowhere"),
        ("peer --workloads luong --peer-python p --peer-drivers d --peer-home h", "luong"),
        ("table --readme nowhere", "nowhere"),
        ("tables", "tables"),
    ],
)
def test_a_wrong_request_is_named_before_anything_is_measured(words: str, named: str) -> None:
    with pytest.raises(RequestError, match=named):
        run(words.split())


def test_a_wrong_path_ends_with_one_line_and_code_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "experiments.speed", "train", "--data", str(tmp_path), "--results", str(tmp_path / "r")],
        capture_output=True, text=True, cwd=README.parents[2], timeout=60,
    )  # fmt: skip
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == [
        f"experiments.speed: --data {tmp_path}: there is no multi30k/lc_norm_tok/train.en.gz in it"
    ]
    assert not (tmp_path / "r").exists()


def test_every_command_has_help_and_defaults_that_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    peer = ["--peer-python", sys.executable, "--peer-drivers", ".", "--peer-home", "."]
    for name in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            parser().parse_args([name, "--help"])
        assert ended.value.code == 0 and "--results" in capsys.readouterr().out
        if name not in ("table", "peer"):
            check(parser().parse_args([name]))
    assert parser().parse_args(["peer", *peer]).workloads == ["M1", "M2"]


def test_a_named_model_with_one_table_gets_one_vocabulary() -> None:
    named = read_plan().chosen_workloads(["named"])
    composed = compose_each("train", [list(workload.words[:1]) for workload in named])
    for workload, configuration in zip(named, composed, strict=True):
        assert ("data.vocabulary.shared=true" in workload.words) == configuration.data.vocabulary.shared, workload.name

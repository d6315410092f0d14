"""Only what may be built is built, and every key is checked first."""

import contextlib
import importlib
import pkgutil

import pytest

from s2s_lab.assemble.instantiation import ALLOWED_PACKAGES, build, check_kind, check_targets, check_type, locate
from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import Attention
from s2s_lab.models.bridges.base import Bridge


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "torch.load",
        "torch.hub.load",
        "torch.optim.adam.torch.load",
        "torch.optim.lr_scheduler.torch.load",
        "s2s_lab.assemble.instantiation.importlib.import_module",
        "s2s_lab.assemble.instantiation.os.system",
        "s2s_lab.records.environment.subprocess.run",
        "s2s_lab.training.module.Seq2Seq",
        "s2s_lab",
        "s2s_labx.thing",
        "torch.optim.adam.Adam.step",
        "torch.optim.adam.nothing",
        "s2s_lab.nothing.Thing",
        "s2s_lab.records.durable.write_json",
        "s2s_lab.records.environment.git",
        "s2s_lab.data.corpora.parallel._find",
        "s2s_lab.data.corpora.tanaka.Path",
        "hydra.utils.get_method",
        "",
        None,
        3,
    ],
)
def test_nothing_outside_the_allow_list_is_reached(path: object) -> None:
    with pytest.raises(RequestError, match="may not be built"):
        locate(path, "node")


def test_refusals_hold_for_nested_and_partial_nodes() -> None:
    node = {
        "_target_": "s2s_lab.training.objectives.cross_entropy.CrossEntropy",
        "label_smoothing": {"_target_": "os.getcwd", "_partial_": True},
    }
    with pytest.raises(RequestError, match=r"objective\.label_smoothing\._target_='os\.getcwd'"):
        build(node, "objective")
    with pytest.raises(RequestError, match=r"listed\[1\]"):
        check_targets({"listed": [{}, {"_target_": "os.getcwd"}]})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"_args_": [1]}, "unknown key cell._args_"),
        ({"_convert_": "object"}, r"cell\._convert_='object'"),
        ({"_recursive_": False}, r"cell\._recursive_=False"),
        ({"_partial_": "yes"}, r"cell\._partial_='yes'"),
        ({"forget_bias": {"_target_": "s2s_lab.models.cells.gru.GRUCell"}}, "float or null is expected"),
        ({"forget_bias": [{"_target_": "os.getcwd"}]}, r"forget_bias\[0\]\._target_='os\.getcwd'"),
    ],
)
def test_what_hydra_would_do_with_a_node_is_refused_too(changes: dict, expected: str) -> None:
    node = {"_target_": "s2s_lab.models.cells.lstm.LSTMCell", "_partial_": True, **changes}
    with pytest.raises(RequestError, match=expected):
        build(node, "cell")


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("tokenizer", "s2s_lab.training.loggers.wandb.wandb_tracker"),
        ("cell", "s2s_lab.data.corpora.files.sha256_of"),
        ("optimizer", "s2s_lab.models.cells.gru.GRUCell"),
        ("decoding.length_penalty", "s2s_lab.training.loggers.curves.CurvesLogger"),
        ("metrics.scores[0]", "torch.optim.adam.Adam"),
    ],
)
def test_each_section_builds_its_own_kind_alone(place: str, path: str) -> None:
    with pytest.raises(RequestError, match="allowed there"):
        locate(path, place)


@pytest.mark.parametrize(
    "path", ["s2s_lab.models..cells", "s2s_lab.models.", "s2s_lab.models.\0.x", "s2s_lab.models. x"]
)
def test_paths_that_are_no_paths_are_refused(path: str) -> None:
    with pytest.raises(RequestError, match="may not be built"):
        locate(path, "node")


def test_everything_that_may_be_built_has_a_signature_that_can_be_checked() -> None:
    """No public object of an allowed package makes the check itself fail."""
    for package in ALLOWED_PACKAGES:
        folder = importlib.import_module(package)
        for found in pkgutil.walk_packages(folder.__path__, f"{package}."):
            if any(part.startswith("_") for part in found.name.split(".")):
                continue
            for name in dir(importlib.import_module(found.name)):
                with contextlib.suppress(RequestError):
                    check_targets({"node": {"_target_": f"{found.name}.{name}", "nonsense": {"a": [1]}}})


def test_a_part_of_another_kind_is_refused() -> None:
    node = {"_target_": "s2s_lab.models.attentions.additive.AdditiveAttention"}
    check_kind(node, Attention, "attention")
    with pytest.raises(RequestError, match=r"bridge\._target_=.* a Bridge is expected"):
        check_kind(node, Bridge, "bridge")
    for missing in ({}, None, 3, [node]):
        with pytest.raises(RequestError, match="a section with a _target_ is expected"):
            check_kind(missing, Bridge, "bridge")


def test_what_a_constructor_refuses_is_told_with_its_place() -> None:
    node = {"_target_": "torch.optim.sgd.SGD", "_partial_": True, "lr": -1.0}
    with pytest.raises(RequestError, match=r"optimizer: Invalid learning rate: -1.0 \(ValueError\)"):
        build(node, "optimizer", params=[])


def test_an_interpolation_cannot_hide_a_node() -> None:
    hidden = "${oc.create:{_target_: os.getcwd}}"
    node = {
        "_target_": "s2s_lab.models.bridges.zero.ZeroBridge",
        "encoder_state_sizes": [hidden],
        "decoder_state_sizes": [],
    }
    with pytest.raises(RequestError, match="interpolation"):
        build(node, "bridge")


def test_a_trusted_package_may_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestError):
        locate("fractions.Fraction", "node")
    monkeypatch.setenv("S2S_LAB_TRUST", "fractions")
    from fractions import Fraction

    assert locate("fractions.Fraction", "node") is Fraction


def test_unknown_keys_name_the_nearest_known_one() -> None:
    node = {"_target_": "s2s_lab.training.objectives.cross_entropy.CrossEntropy", "label_smooting": 0.1}
    with pytest.raises(
        RequestError, match=r"unknown key objective\.label_smooting; did you mean objective\.label_smoothing\?"
    ):
        check_targets({"objective": node})


def test_missing_keys_are_named() -> None:
    with pytest.raises(RequestError, match="lacks the key 'steps'"):
        check_targets({"teacher_forcing": {"_target_": "s2s_lab.training.teacher_forcing.Linear"}})


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        ("x", int, "int is expected"),
        (1.5, int, "int is expected"),
        (True, int, "int is expected"),
        (None, float, "float is expected"),
        ("1", bool | None, "bool or null is expected"),
    ],
)
def test_scalars_of_the_wrong_type_are_refused(value: object, hint: object, expected: str) -> None:
    with pytest.raises(RequestError, match=rf"place=.*{expected}"):
        check_type(value, hint, "place")


def test_scalars_of_the_right_type_pass() -> None:
    from typing import Literal

    check_type(1, float, "place")
    check_type(None, int | None, "place")
    check_type("a", Literal["a", "b"], "place")
    check_type([1, 2], int | list, "place")
    with pytest.raises(RequestError, match=r"place='aa'"):
        check_type("aa", Literal["a", "b"], "place")


def test_built_objects_are_what_the_node_says() -> None:
    import torch

    node = {"_target_": "torch.optim.sgd.SGD", "_partial_": True, "lr": 0.25}
    optimizer = build(node, "optimizer", params=[torch.nn.Parameter(torch.zeros(1))])
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.param_groups[0]["lr"] == 0.25


def test_an_optimizer_of_the_lab_has_a_room_beside_torchs() -> None:
    with pytest.raises(RequestError, match=r"no module 's2s_lab\.training\.optimizers\.lion'"):
        locate("s2s_lab.training.optimizers.lion.Lion", "optimizer")
    with pytest.raises(RequestError, match=r"only torch\.optim, s2s_lab\.training\.optimizers are allowed there"):
        locate("s2s_lab.training.objectives.cross_entropy.CrossEntropy", "optimizer")

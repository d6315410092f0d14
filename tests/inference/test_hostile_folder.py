"""A model folder of somebody else runs no code, reads nothing beside itself and takes no endless memory."""

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from s2s_lab.assemble.inference import load_model
from s2s_lab.data.tokenizers.bpe import BPETokenizer
from s2s_lab.faults import RequestError
from s2s_lab.inference.folder import SUMS, write_sums
from s2s_lab.inference.frozen import save_model
from tests.inference.test_frozen import CPU, model

CONFIGURATION, WEIGHTS, VOCABULARY, TOKENIZER = (
    "config.yaml", "model.safetensors", "source.vocabulary.txt", "source.tokenizer.json",
)  # fmt: skip


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.canary),)


def configured(**changes: Any) -> Callable[[Path], None]:
    """Changes keys of the configuration, dots written as two underscores."""

    def change(folder: Path) -> None:
        settings = yaml.safe_load((folder / CONFIGURATION).read_text())
        for place, value in changes.items():
            *above, last = place.split("__")
            node = settings
            for key in above:
                node = node[key]
            node[last] = value
        (folder / CONFIGURATION).write_text(yaml.safe_dump(settings))

    return change


def written(name: str, content: str | bytes) -> Callable[[Path], None]:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data) and None


def pickled(name: str, save: Callable[[Any, Path], object]) -> Callable[[Path], None]:
    return lambda folder: save(Evil(folder.parent / "canary"), folder / name) and None


def linked(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        outside = folder.parent / "outside"
        outside.write_bytes((folder / name).read_bytes())
        (folder / name).unlink()
        (folder / name).symlink_to(outside)

    return change


def lying(**header: Any) -> Callable[[Path], None]:
    """A safetensors file that announces more than it holds."""
    text = json.dumps({"x": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4 * 10**18], **header}})
    return written(WEIGHTS, struct.pack("<Q", len(text)) + text.encode() + bytes(64))


def typed(dtype: torch.dtype) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        weights = {name: value.to(dtype) for name, value in load_file(folder / WEIGHTS).items()}
        save_file(weights, folder / WEIGHTS)

    return change


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "pickled weights": (pickled(WEIGHTS, torch.save), "not a readable safetensors file"),
    "pickled configuration": (pickled(CONFIGURATION, lambda evil, path: path.write_bytes(pickle.dumps(evil))), "UTF-8"),
    "builtins": (configured(cell___target_="builtins.eval"), "may not be built"),
    "through a package": (configured(cell___target_="s2s_lab.models.seq2seq.torch.load"), "may not be built"),
    "tokenizer that tracks": (
        configured(tokenizer___target_="s2s_lab.training.loggers.wandb.wandb_tracker"),
        "allowed",
    ),
    "no tokenizer": (configured(tokenizer={}), "_target_ is expected"),
    "nested node": (configured(encoder__dropout={"_target_": "os.getcwd"}), "os.getcwd"),
    "listed node": (configured(encoder__dropout=[{"_target_": "os.getcwd"}]), "os.getcwd"),
    "own cell": (configured(encoder__cell={"_target_": "os.getcwd"}), "os.getcwd"),
    "arguments": (configured(cell___args_=[1]), "unknown key cell._args_"),
    "interpolation": (configured(encoder__hidden_size="${oc.env:HOME}"), "int is expected"),
    "interpolated list": (configured(encoder__x=["${oc.env:HOME}"]), "unknown key"),
    "python object": (written(CONFIGURATION, "a: !!python/object/apply:os.getcwd []"), "line 1: not valid YAML"),
    "aliases": (
        written(
            CONFIGURATION, "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
        ),
        "when its aliases are expanded",
    ),
    "deep": (written(CONFIGURATION, "[" * 5000), "levels deep"),
    "dates": (written(CONFIGURATION, "a: 2026-11-21"), "is a date"),
    "no mapping": (written(CONFIGURATION, "[]"), "expected a YAML mapping"),
    "section": (configured(encoder=3), "encoder is 3"),
    "vocabulary section": (configured(data={"vocabulary": 3}), "data.vocabulary.shared is None"),
    "wide": (configured(encoder__hidden_size=10**9), "the network needs"),
    "wider": (configured(encoder__hidden_size=10**30), "encoder"),
    "many layers": (configured(encoder__num_layers=10**9), "at most 1000"),
    "wide embedding": (configured(embedding__embedding_size=10**10), "the network needs"),
    "lying header": (lying(), "not a readable safetensors file"),
    "negative offsets": (lying(data_offsets=[-8, 64]), "not a readable safetensors file"),
    "endless header": (written(WEIGHTS, struct.pack("<Q", 2**62)), "not a readable safetensors file"),
    "integers": (typed(torch.int32), "is of type I32"),
    "vocabulary bytes": (written(VOCABULARY, b"\xff\xfe"), "not valid UTF-8"),
    "vocabulary": (written(VOCABULARY, "root:x:0:0\n"), "a vocabulary begins with"),
    "tokenizer": (written(TOKENIZER, '{"tokenizer": "Whitespace'), "not a saved tokenizer"),
    "deep tokenizer": (written(TOKENIZER, "[" * 100000), "not a saved tokenizer"),
    "changed weight": (lambda folder: _flip(folder / WEIGHTS, -1), "changed since it was written"),
    "sums elsewhere": (written(SUMS, "0" * 64 + "  ../outside\n"), "SHA256SUMS, line 1"),
    "pipe": (lambda folder: ((folder / CONFIGURATION).unlink(), os.mkfifo(folder / CONFIGURATION)) and None, ""),
    **{
        f"link {name}": (linked(name), "leads out of the folder") for name in (CONFIGURATION, WEIGHTS, VOCABULARY, SUMS)
    },
}


def _flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("honest") / "model"
    save_model(model(), folder)
    return folder


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_folders_are_refused_in_one_line(honest: Path, tmp_path: Path, case: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in honest.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    change, expected = HOSTILE[case]
    change(folder)
    with pytest.raises(RequestError) as error:
        load_model(folder, device=CPU)
    assert expected in str(error.value)
    assert not (tmp_path / "canary").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"model", "outside"}


def test_a_link_within_the_folder_and_the_folder_itself_as_a_link_are_fine(honest: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(honest)
    assert load_model(tmp_path / "link", device=CPU)


def test_a_run_whose_model_is_a_link_to_elsewhere_is_refused(honest: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model").symlink_to(honest)
    with pytest.raises(RequestError, match="leads out of the folder"):
        load_model(tmp_path / "run", device=CPU)


def test_sums_are_those_of_sha256sum_and_may_be_absent(honest: Path, tmp_path: Path) -> None:
    import shutil
    import subprocess

    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=honest, check=True)
    shutil.copytree(honest, tmp_path / "model")
    (tmp_path / "model" / SUMS).unlink()
    assert load_model(tmp_path / "model", device=CPU)
    write_sums(tmp_path / "model")
    assert (tmp_path / "model" / SUMS).read_bytes() == (honest / SUMS).read_bytes()


@pytest.mark.parametrize(
    ("part", "value"),
    [("normalizer", {"type": "Lowercase"}), ("pre_tokenizer", None), ("added_tokens", []), ("truncation", 3)],
)
def test_a_subword_engine_that_is_not_ours_is_refused(tmp_path: Path, part: str, value: object) -> None:
    tokenizer = BPETokenizer(vocabulary_size=20)
    tokenizer.train(["a b aa ab"] * 3)
    tokenizer.save(tmp_path, "x")
    path = tmp_path / "x.tokenizer.json"
    content = json.loads(path.read_text())
    engine = {**json.loads(content["state"]["engine"]), part: value}
    path.write_text(json.dumps({**content, "state": {"engine": json.dumps(engine)}}))
    with pytest.raises(RequestError, match="not a saved tokenizer"):
        BPETokenizer(vocabulary_size=20).load(tmp_path, "x")

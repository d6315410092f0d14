"""s2s-translate as part of a pipeline: one line out for each line in, in order, whatever comes."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from s2s_lab.assemble.configuration import compose_jobs
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.faults import RequestError
from s2s_lab.translate import translate
from tests.assemble.test_experiment import run as train
from tests.end_to_end.conftest import REPOSITORY


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of a tiny run, which has learnt nothing."""
    return train(tmp_path_factory.mktemp("runs"), "model=gru_attention").model


@pytest.fixture
def translated(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[bytes, str]]:
    """Translates bytes in this process; gives standard output and standard error."""

    def run(content: bytes, *words: str) -> tuple[bytes, str]:
        settings = [f"run={model}", "decoding=greedy", "decoding.max_length=12", "num_threads=1", *words]
        out = io.BytesIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
            patch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
            translate(compose_jobs("translate", settings, multirun=False, folder=None)[0])
        return out.getvalue(), capsys.readouterr().err

    return run


def test_each_line_alone_and_together_is_the_same(translated: Callable[..., tuple[bytes, str]]) -> None:
    """NUL bytes, odd separators, invalid UTF-8, empty lines and a missing last line end included."""
    lines = [
        b"a b c",
        b"",
        b"a\x00b",
        b"a\rb",
        b"\xff\xfe",
        "a\u2028b\x0bc\x0cd\x85e".encode(),
        b"  ",
        b"d e f g",
        b"j",
    ]
    together, _ = translated(b"\n".join(lines), "batch_sentences=2")
    assert together.count(b"\n") == len(lines)
    assert together == b"".join(translated(line + b"\n")[0] for line in lines)


def test_a_source_of_any_length_is_bounded_and_said(translated: Callable[..., tuple[bytes, str]]) -> None:
    long = b"a b " * 100_000
    out, err = translated(b"c\n" + long + b"\n" + long + b"\nd\n", "max_source_length=20")
    expected, _ = translated(b"c\n" + b"a b " * 10 + b"\n" + b"a b " * 10 + b"\nd\n")
    assert out == expected
    assert "line 2: 200,000 tokens, cut to max_source_length=20" in err
    assert "2 lines were too long, the first is line 2" in err
    megabyte, err = translated(b"x" * (1 << 20) + b"y" * 99 + b"\n")
    assert megabyte.count(b"\n") == 1 and "longer than 1,048,576 bytes" in err
    whole, err = translated(b"x" * (1 << 20) + b"\n")
    assert whole == megabyte and err == ""


def test_files_in_and_out(translated: Callable[..., tuple[bytes, str]], tmp_path: Path) -> None:
    content = b"a b\nc\n\nd e\n"
    (tmp_path / "in.txt").write_bytes(content)
    expected, _ = translated(content)
    out, _ = translated(
        b"", f"input_file={tmp_path}/in.txt", f"output_file={tmp_path}/out.txt", f"attention_file={tmp_path}/a"
    )
    assert out == b""
    assert (tmp_path / "out.txt").read_bytes() == expected
    assert [json.loads(line) is None for line in (tmp_path / "a").read_text().splitlines()] == [
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["input_file={}/none"], "input_file=.*none: cannot be read"),
        (["output_file={}/none/out"], "output_file=.*out: cannot be written"),
        (["input_file={}/kept", "output_file={}/kept"], "output_file=.*kept is also input_file"),
        (["output_file={}/one", "attention_file={}/one"], "is also attention_file"),
        (["output_file={0}/one", "attention_file={0}/./one"], "is also attention_file"),
        (["prefixes_file={}/kept", "output_file={}/kept"], "output_file=.*is also prefixes_file"),
        (["constraint=[forbidden]", "forbidden_file={}/kept", "attention_file={}/kept"], "is also forbidden_file"),
        (
            ["constraint=[automaton]", "constraint.automaton.file={}/kept", "output_file={}/kept"],
            r"is also constraint\.automaton\.file",
        ),
        (["output_file={}/kept", "nbest=99"], "nbest=99"),
        (["max_source_length=0"], "max_source_length=0: at least 1"),
    ],
)
def test_wrong_files_are_refused_and_nothing_is_lost(
    words: list[str], expected: str, translated: Callable[..., tuple[bytes, str]], tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("a\n")
    with pytest.raises(RequestError, match=expected):
        translated(b"a\n", *(word.format(tmp_path) for word in words))
    assert (tmp_path / "kept").read_text() == "a\n"


def test_what_an_interrupted_translation_has_done_stays(
    translated: Callable[..., tuple[bytes, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole lines, in order: those of the chunks before the interrupt."""
    content = b"".join(b"a b c d\n" if number % 3 else b"e f\n" for number in range(100))
    expected, _ = translated(content)
    whole, calls = GreedySearch.decode, iter(range(100))

    def interrupted(self: GreedySearch, *arguments, **options):
        if next(calls) == 40:
            raise KeyboardInterrupt
        return whole(self, *arguments, **options)

    monkeypatch.setattr(GreedySearch, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        translated(content, "batch_sentences=1", f"output_file={tmp_path}/out.txt")
    assert (tmp_path / "out.txt").read_bytes() == b"".join(expected.splitlines(keepends=True)[:32])


def start(model: Path, *words: str, **pipes: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "s2s_lab.translate", f"run={model}", "decoding=greedy", "num_threads=1", *words]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, **pipes)


def test_a_closed_pipe_ends_quietly(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"a b c\n" * 20_000)
    with start(model, f"input_file={tmp_path}/in.txt", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().endswith(b"\n")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=120) == 128 + signal.SIGPIPE


@pytest.mark.slow
def test_a_million_lines_stream_in_constant_memory(model: Path, tmp_path: Path) -> None:
    peaks = {}
    for count in (20_000, 1_000_000):
        with (tmp_path / f"{count}.txt").open("wb") as file:
            file.writelines(b"a b c\n" if number % 2 else b"d\n" for number in range(count))
        words = [f"input_file={tmp_path}/{count}.txt", f"output_file={tmp_path}/{count}.out", "decoding.max_length=3"]
        process = start(model, *words, "batch_sentences=256")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks[count] = usage.ru_maxrss / 1024
        with (tmp_path / f"{count}.out").open("rb") as file:
            assert sum(1 for _ in file) == count
    assert peaks[1_000_000] < peaks[20_000] + 64, peaks

"""The prompt of s2s-translate: answers, n-best lists, attention drawn within the terminal, and its two keys."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from s2s_lab import translate as command
from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.conversation import SHADES, converse, drawn, shade
from s2s_lab.assemble.translation import Translator, translate_lines
from s2s_lab.faults import RequestError
from s2s_lab.records.evaluation import Alignment
from tests.assemble.test_experiment import run

SMALL = ["accelerator=cpu", "num_threads=1", "decoding.max_length=6"]
Talk = Callable[..., str]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("runs")
    return {name: run(place, f"model={name}").path for name in ("gru_attention", "gru")}


def settings(model: Path, *words: str) -> dict[str, Any]:
    return plain(compose_jobs("translate", [f"run={model}", *SMALL, *words], multirun=False, folder=None)[0])


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch) -> Talk:
    """Types lines, and keys as exceptions, then Ctrl-D; gives what was shown on 80 columns."""

    def typed(asked: dict[str, Any], *lines: str | type[BaseException]) -> str:
        left = iter([*lines, EOFError])

        def answer(prompt: str) -> str:
            line = next(left)
            if isinstance(line, str):
                return line
            raise line

        monkeypatch.setattr("builtins.input", answer)
        console = Console(file=io.StringIO(), width=80, color_system=None, highlight=False)
        converse(asked, console)
        assert next(left, None) is None  # all was read
        assert isinstance(console.file, io.StringIO)
        shown = console.file.getvalue()
        assert all(len(line) <= 80 for line in shown.splitlines()[1:])
        return shown

    return typed


@pytest.mark.parametrize("strategy", ["greedy", "beam", "sampling"])
def test_a_line_gets_the_output_of_a_translation_and_its_attention(
    strategy: str, models: dict[str, Path], talk: Talk
) -> None:
    asked = settings(models["gru_attention"], f"decoding={strategy}")
    ((text,), _) = next(translate_lines(["a b c"], asked))
    shown = talk(asked, "a b c").splitlines()
    assert shown[1].rstrip() == text
    assert any(line.split()[:3] == ["a", "b", "c"] for line in shown[2:])  # over the columns


def test_each_line_has_a_noise_of_its_own_whatever_is_decoded_together(models: dict[str, Path]) -> None:
    words = ("decoding=sampling", "decoding.temperature=3.0", "decoding.min_length=5")
    lines = ["a b c"] * 20
    found = []
    for size in (1, 3, 20):
        asked = settings(models["gru"], *words, f"batch_sentences={size}")
        found.append([text for ((text,), _) in translate_lines(lines, asked)])
    assert found[1] == found[0] and found[2] == found[0]
    assert len(set(found[0])) > 15
    translator = Translator(settings(models["gru"], *words))
    assert [translator.translate(line)[1][0][0] for line in lines] == found[0]


def test_several_outputs_have_their_scores_and_a_model_without_attention_says_so_once(
    models: dict[str, Path], talk: Talk
) -> None:
    asked = settings(models["gru"], "decoding=beam", "decoding.num_hypotheses=3", "nbest=3")
    shown = talk(asked, "a b", "", "  ", "c d")
    assert shown.count("this model has no attention to draw") == 1
    for line in ("a b", "c d"):
        (outputs, _) = next(translate_lines([line], asked))
        for output in outputs:
            score, text = output.split("\t")
            assert f"{score}  {text}".rstrip() in [each.strip() for each in shown.splitlines()]


def test_ctrl_c_cancels_a_line_or_its_search_and_ctrl_d_ends(
    models: dict[str, Path], talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = settings(models["gru"], "decoding=greedy")
    real, begun = Translator.translate, []

    def slow(self: Translator, line: str) -> Any:
        begun.append(line)
        if line == "b":
            raise KeyboardInterrupt
        return real(self, line)

    monkeypatch.setattr(Translator, "translate", slow)
    talk(asked, "a", KeyboardInterrupt, "b", "c")
    assert begun == ["a", "b", "c"]


def test_a_line_that_is_cut_is_said(models: dict[str, Path], talk: Talk) -> None:
    asked = settings(models["gru"], "decoding=greedy", "max_source_length=2")
    assert "3 tokens, cut to max_source_length=2" in talk(asked, "a b c")


@pytest.mark.parametrize(("sources", "width"), [(3, 80), (30, 80), (60, 80), (12, 20)])
def test_attention_is_drawn_source_across_and_target_down_within_the_width(sources: int, width: int) -> None:
    generator = np.random.default_rng(3)
    weights = generator.dirichlet(np.full(sources, 0.1), size=4).astype(np.float32)
    targets = ["ein", "[b]Hund[/]", "Donaudampfschifffahrt", "</s>"]
    alignment = Alignment(weights, [f"s{place}" for place in range(sources)], targets)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(drawn(alignment, width))
    assert isinstance(console.file, io.StringIO)
    lines = [line for line in console.file.getvalue().splitlines() if line.strip()]
    assert all(len(line.rstrip()) <= width for line in lines)
    (start,) = (number for number, line in enumerate(lines) if line.startswith("ein"))
    label = max(min(12, len(token)) for token in targets)
    shown = min(sources, (width - label) // 2)
    heads = [line[label + 1 :].ljust(2 * shown)[::2] for line in lines[:start]]
    assert ["".join(letters).strip() for letters in zip(*heads, strict=True)] == [f"s{place}" for place in range(shown)]
    for token, row, weight in zip(targets, lines[start : start + 4], weights, strict=True):
        assert row[:label].strip() == (token if len(token) <= 12 else f"{token[:11]}…")
        assert [*row[label + 1 :].ljust(2 * shown)[::2][:shown]] == [shade(float(value)) for value in weight[:shown]]
    assert (f"{sources - shown} more source" in " ".join(lines)) == (shown < sources)


def test_shades_rise_with_the_weight() -> None:
    shades = [shade(value / 100) for value in range(101)]
    assert [SHADES.index(each) for each in shades] == sorted(SHADES.index(each) for each in shades)
    assert set(shades) == set(SHADES)


def test_the_flag_is_a_word_of_its_own_and_needs_no_files(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RequestError, match="output_file=x: --interactive reads the terminal"):
        words = [f"run={models['gru']}", "interactive=true", "output_file=x"]
        command.translate(compose_jobs("translate", words, multirun=False, folder=None)[0])
    asked: list[Any] = []
    monkeypatch.setattr("s2s_lab.sweeps.process.restart_retaining_memory", lambda: None)
    monkeypatch.setattr("s2s_lab.assemble.conversation.converse", asked.append)
    monkeypatch.setattr(sys, "argv", ["s2s-translate", f"run={models['gru']}", "--interactive", "decoding=greedy"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 0 and asked[0]["interactive"] is True

"""Unknown words become the source words that the attention points at, in evaluations and translations too."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from s2s_lab.assemble import translation, workbench
from s2s_lab.assemble.grid import evaluate_runs
from s2s_lab.assemble.inference import load_model
from s2s_lab.assemble.translation import translate_lines
from s2s_lab.data.tokenizers.whitespace import WhitespaceTokenizer
from s2s_lab.data.vocabulary import EOS, NUM_SPECIALS, UNK, Vocabulary
from s2s_lab.decoding.base import Hypothesis
from s2s_lab.faults import RequestError
from s2s_lab.inference.frozen import FrozenModel
from s2s_lab.inference.text import TextSide
from s2s_lab.inference.unknown_words import wording
from tests.assemble.test_evaluation import settings
from tests.assemble.test_experiment import run

TARGET = TextSide(WhitespaceTokenizer(), Vocabulary(["a", "b"]))
SOURCE = ["X", "Y", "Z"]
NO_ATTENTION = r"^replace_unknown=true: the model gives no attention"


def found(ids: tuple[int, ...], rows: list[list[float]] | None) -> Hypothesis:
    return Hypothesis(ids, -1.0, -1.0, True, None if rows is None else torch.tensor(rows))


def test_the_largest_weight_chooses_the_first_of_equals_and_never_the_end_symbol() -> None:
    rows = [[0.1, 0.5, 0.2, 0.2], [0.0, 0.1, 0.0, 0.9], [0.4, 0.0, 0.4, 0.2], [0.2, 0.2, 0.5, 0.1]]
    hypothesis = found((UNK, 4, UNK), rows)
    assert wording(TARGET, [[], SOURCE])(1, hypothesis) == "Y a X"
    assert wording(TARGET)(1, hypothesis) == "<unk> a <unk>"
    assert wording(TARGET, [SOURCE])(0, found((UNK, UNK), rows)) == "Y Y"


def test_an_unknown_word_without_any_source_word_stays_and_others_need_no_attention() -> None:
    assert wording(TARGET, [[]])(0, found((UNK, 5), [[1.0], [1.0]])) == "<unk> b"
    assert wording(TARGET, [SOURCE])(0, found((5, 4), None)) == "b a"


@pytest.mark.parametrize("rows", [None, [[0.5, 0.5]]])
def test_a_model_without_attention_over_the_tokens_is_refused(rows: list[list[float]] | None) -> None:
    with pytest.raises(RequestError, match=NO_ATTENTION):
        wording(TARGET, [SOURCE])(0, found((UNK,), rows))


@pytest.fixture
def ignorant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets every model that is loaded say nothing but the unknown word and, now and then, the end."""

    def load(*given: Any, **named: Any) -> FrozenModel:
        model = load_model(*given, **named)
        step = model.network.step

        def unknowing(*arguments: Any) -> Any:
            scores, state, weights = step(*arguments)
            scores = scores.clone()
            scores[:, NUM_SPECIALS:] -= 1e3
            scores[:, EOS] -= 2
            return scores, state, weights

        monkeypatch.setattr(model.network, "step", unknowing)
        return model

    monkeypatch.setattr(workbench, "load_model", load)
    monkeypatch.setattr(translation, "load_model", load)


@pytest.mark.usefixtures("ignorant")
def test_evaluations_and_translations_replace_when_asked(tmp_path: Path) -> None:
    made = run(tmp_path, "model=gru_attention")
    texts = {}
    for replaced in ("false", "true"):
        words = (f"replace_unknown={replaced}", "decoding=beam", "decoding.num_hypotheses=2")
        ((_, folder, facts),) = evaluate_runs(settings("evaluate", f"runs=[{made.path}]", *words))
        nbest = [json.loads(line)["hypotheses"] for line in (folder / "nbest.jsonl").read_text().splitlines()]
        texts[replaced] = ((folder / "hypotheses.txt").read_text().splitlines(), nbest)
        assert facts["replace_unknown"] is (replaced == "true")
        sources = (folder / "sources.txt").read_text().splitlines()
    assert len(list(folder.parent.iterdir())) == 2  # neither takes the other's folder
    assert any("<unk>" in line for line in texts["false"][0])
    for source, plain, line, hypotheses in zip(sources, texts["false"][0], *texts["true"], strict=True):
        assert len(line.split()) == len(plain.split()) and set(line.split()) <= set(source.split())
        assert hypotheses[0]["text"] == line
    wanted = settings("translate", f"run={made.path}", *words[1:], "replace_unknown=true")
    assert [texts[0] for texts, _ in translate_lines(sources, wanted)] == texts["true"][0]


@pytest.mark.usefixtures("ignorant")
def test_a_run_without_attention_is_refused_in_one_line(tmp_path: Path) -> None:
    made = run(tmp_path, "model=gru")
    with pytest.raises(RequestError, match=NO_ATTENTION):
        list(evaluate_runs(settings("evaluate", f"runs=[{made.path}]", "replace_unknown=true")))

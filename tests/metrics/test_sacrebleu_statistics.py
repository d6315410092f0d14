"""A sacrebleu that has changed is noticed and named."""

import pytest
import sacrebleu.metrics.base
import sacrebleu.metrics.bleu

from s2s_lab.faults import RequestError, RunError
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.sacrebleu_statistics import streams


def test_streams_hold_none_where_a_sentence_has_fewer_references():
    assert streams([("a", "b"), ("c",)]) == [["a", "c"], ["b", None]]


def test_a_sacrebleu_without_sentence_statistics_is_named(monkeypatch):
    monkeypatch.delattr(sacrebleu.metrics.base.Metric, "_extract_corpus_statistics")
    with pytest.raises(RunError, match=r"sacrebleu .* differs from 2\.6.*: its metrics have no sentence statistics"):
        BLEU().score(["a"], [("a",)])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda self, hypotheses, references: [[1, 2, 3]] * len(hypotheses), r"shape \(4, 3\); expected \(4, 10\)"),
        (lambda self, hypotheses, references: [["x"] * 10] * len(hypotheses), "reading sentence statistics failed"),
        (lambda self, hypotheses: None, "reading sentence statistics failed"),
    ],
)
def test_statistics_of_another_form_are_named(monkeypatch, changed, message):
    monkeypatch.setattr(sacrebleu.metrics.base.Metric, "_extract_corpus_statistics", changed)
    with pytest.raises(RunError, match=message):
        BLEU().score(["a"], [("a",)])


def test_statistics_in_another_order_are_noticed(monkeypatch):
    original = sacrebleu.metrics.bleu.BLEU._compute_segment_statistics
    monkeypatch.setattr(sacrebleu.metrics.bleu.BLEU, "_compute_segment_statistics", lambda *args: original(*args)[::-1])
    monkeypatch.setattr(
        sacrebleu.metrics.bleu.BLEU,
        "_compute_score_from_stats",
        lambda self, stats, score=sacrebleu.metrics.bleu.BLEU._compute_score_from_stats: score(self, stats[::-1]),
    )
    with pytest.raises(RunError, match="of the probe is"):
        BLEU().score(["a"], [("a",)])


def test_a_tokenizer_whose_package_is_missing_is_a_wrong_request(monkeypatch):
    def missing(name):
        raise RuntimeError("Please install\n  MeCab")

    monkeypatch.setattr(sacrebleu.metrics.bleu, "_get_tokenizer", missing)
    with pytest.raises(RequestError, match="tokenize=ja-mecab cannot be used here: Please install MeCab"):
        BLEU(tokenize="ja-mecab").score(["a"], [("a",)])

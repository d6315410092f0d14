"""What cannot be scored, and how signatures are written and read."""

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import (
    check,
    count_references,
    ratio,
    signature_fields,
    signature_kind,
    write_signature,
)


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        (["a"], [("a",), ("b",)], "1 hypotheses but 2 sentences of references"),
        ([], [], "no sentence to score"),
        (["a", "b"], [("a",), ()], "sentence 2 has no reference"),
        (["a"], ["a"], "references of sentence 1 are 'a'; expected a tuple of strings"),
        (["a"], [(None,)], "references of sentence 1"),
        ([None], [("a",)], "hypothesis 1 is None"),
    ],
)
def test_input_that_cannot_be_scored_is_refused_naming_the_sentence(hypotheses, references, message):
    with pytest.raises(RequestError, match=message):
        check(hypotheses, references, name="metric")


def test_references_are_counted_unless_their_number_differs():
    assert count_references([("a", "b"), ("c", "d")]) == 2
    assert count_references([("a", "b"), ("c",)]) is None


def test_a_signature_reads_back_as_it_was_written():
    signature = write_signature("kind", None, case="lc", version="1")
    assert signature == "kind|nrefs:var|case:lc|version:1"
    assert signature_kind(signature) == "kind"
    assert signature_fields(signature) == {"nrefs": "var", "case": "lc", "version": "1"}


def test_a_ratio_over_zero_is_what_was_said():
    assert ratio(np.array([1.0, 3.0]), np.array([2.0, 0.0]), undefined=7.0).tolist() == [0.5, 7.0]

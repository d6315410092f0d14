"""Laws of the byte-pair tokenizer."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_lab.data.tokenizers.bpe import SPACE, BPETokenizer
from s2s_lab.faults import RequestError

LINES = ["Ein Mann läuft, ein Hund läuft.", "Zwei Hunde laufen im Park!", "Der Mann im Park (mit Hund) steht."] * 4
TRAINED = BPETokenizer(vocabulary_size=80)
TRAINED.train(LINES)
LOWERED = BPETokenizer(vocabulary_size=80, lowercase=True)
LOWERED.train(LINES)


@settings(database=None, max_examples=300)
@given(st.text(alphabet=st.one_of(st.sampled_from(f"ein Hund.  {SPACE}\ue000<unk>"), st.characters(codec="utf-8"))))
def test_tokens_give_any_line_back_exactly(line: str) -> None:
    assert TRAINED.detokenize(TRAINED.tokenize(line)) == line
    assert LOWERED.detokenize(LOWERED.tokenize(line)) == line.lower()


def test_a_text_that_spells_the_special_token_comes_back(line: str = "a <unk> b <unk><unk>") -> None:
    assert TRAINED.detokenize(TRAINED.tokenize(line)) == line


def test_an_empty_line_has_no_tokens() -> None:
    assert TRAINED.tokenize("") == []
    assert TRAINED.detokenize([]) == ""


def test_frequent_words_become_one_token_with_their_space_and_punctuation_stays_apart() -> None:
    assert TRAINED.tokenize("Mann Park.") == [f"{SPACE}Mann", f"{SPACE}Park", "."]
    assert all(
        len(token) == 1 or token.removeprefix(SPACE).isalnum() for line in LINES for token in LOWERED.tokenize(line)
    )


def test_more_vocabulary_means_no_more_tokens() -> None:
    lengths = []
    for size in (40, 60, 80, 120):
        tokenizer = BPETokenizer(vocabulary_size=size)
        tokenizer.train(LINES)
        lengths.append(sum(len(tokenizer.tokenize(line)) for line in LINES))
        assert len({token for line in LINES for token in tokenizer.tokenize(line)}) <= size
    assert all(more <= fewer for fewer, more in pairwise(lengths))


def test_training_again_forgets_the_first_training() -> None:
    tokenizer = BPETokenizer(vocabulary_size=80)
    tokenizer.train(["xyz xyz xyz xyz"])
    tokenizer.train(LINES)
    assert tokenizer.state() == TRAINED.state()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    TRAINED.save(tmp_path, "source")
    path = tmp_path / "source.tokenizer.json"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[:-40], encoding="utf-8")
    with pytest.raises(RequestError, match=r"source\.tokenizer\.json: not a saved tokenizer"):
        BPETokenizer(vocabulary_size=80).load(tmp_path, "source")
    path.write_text(whole.replace("merges", "nothing"), encoding="utf-8")
    with pytest.raises(RequestError, match=r"source\.tokenizer\.json: not a saved tokenizer"):
        BPETokenizer(vocabulary_size=80).load(tmp_path, "source")
    with pytest.raises(RequestError, match=r"target\.tokenizer\.json: no such file"):
        BPETokenizer(vocabulary_size=80).load(tmp_path, "target")


def test_other_options_than_the_saved_ones_are_refused(tmp_path: Path) -> None:
    TRAINED.save(tmp_path, "source")
    with pytest.raises(RequestError, match=r"saved by .*'vocabulary_size': 80.*'vocabulary_size': 90"):
        BPETokenizer(vocabulary_size=90).load(tmp_path, "source")

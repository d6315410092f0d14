"""Unknown words of an output replaced by the source words that the model looked at."""

from collections.abc import Callable, Sequence

from s2s_lab.data.vocabulary import UNK
from s2s_lab.decoding.base import Hypothesis
from s2s_lab.faults import RequestError
from s2s_lab.inference.text import TextSide


def without_unknown(target: TextSide, hypothesis: Hypothesis, source_tokens: Sequence[str]) -> list[str]:
    """Tokens of a hypothesis, each unknown one replaced by the source token of largest attention, the first of equals.

    Paper: Luong, Sutskever, Le, Vinyals, Zaremba 2015, arXiv 1410.8206; Jean et al. 2015, arXiv 1412.2007, which takes
    the place from the attention. Deviation: the source token is copied, no dictionary is asked.

    Args:
        target: text side of the outputs.
        hypothesis: with attention weights over the source symbols.
        source_tokens: of the sentence, as written, without end symbol; an unknown token stays where there are none, and
            an empty one, the end of one of several sources, is never taken.

    Raises:
        RequestError: an unknown token has no attention weights.
    """
    tokens = []
    for place, id_ in enumerate(hypothesis.ids):
        if id_ != UNK or not any(source_tokens):
            tokens += target.tokens([id_])
            continue
        weights = None if hypothesis.weights is None else hypothesis.weights[place, : len(source_tokens)].tolist()
        if weights is None or len(weights) < len(source_tokens):
            raise RequestError(
                "replace_unknown=true: the model gives no attention over the source tokens, expected one"
            )
        places = [place for place, token in enumerate(source_tokens) if token]
        tokens.append(source_tokens[max(places, key=weights.__getitem__)])
    return tokens


def wording(target: TextSide, sources: Sequence[Sequence[str]] | None = None) -> Callable[[int, Hypothesis], str]:
    """Gives what turns a sentence's place and one of its hypotheses into text.

    Args:
        target: text side of the outputs.
        sources: source tokens of each sentence as written, where unknown words are to be replaced; None leaves them.
    """
    if sources is None:
        return lambda place, hypothesis: target.line(hypothesis.ids)
    return lambda place, hypothesis: target.tokenizer.detokenize(without_unknown(target, hypothesis, sources[place]))

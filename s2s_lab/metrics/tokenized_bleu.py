"""BLEU of text tokenized in the Moses way, as older papers report it."""

from importlib.metadata import version
from typing import Self

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import signature_kind
from s2s_lab.metrics.bleu import BLEU


class TokenizedBLEU(BLEU):
    """BLEU, 0 to 100, after Moses tokenization (sacremoses) of hypotheses and references.

    It is for comparison with papers that used multi-bleu.perl on tokenized, mostly lower-cased text; report `BLEU`
    beside it. Text that is tokenized already is tokenized again: what Moses wrote as one token, such as &apos;s or @-@,
    becomes several; `BLEU` with tokenize="none" takes tokens as they stand.

    Args:
        language: Two-letter code of the target language, for abbreviations that keep their point.
        lowercase: Compare lower-cased text.
        name: What the score is called in tables.

    Raises:
        RequestError: sacremoses knows no such language.
    """

    kind = "moses_BLEU"

    def __init__(self, *, language: str = "en", lowercase: bool = True, name: str = "tokenized_bleu") -> None:
        from sacremoses.corpus import NonbreakingPrefixes
        from sacremoses.tokenize import MosesTokenizer

        known = sorted(set(NonbreakingPrefixes().available_langs.values()))
        if language not in known:
            raise RequestError(f"{name}: language is {language!r}; expected one of {', '.join(known)}")
        super().__init__(lowercase=lowercase, tokenize="none", smooth_method="none", name=name)
        self.language = language
        self._tokenizer = MosesTokenizer(lang=language)

    def prepare(self, line: str) -> str:
        """Tokenize a line, without escaping characters that Moses treats specially."""
        return " ".join(self._tokenizer.tokenize(line, escape=False))

    def signature(self, num_references: int | None = 1) -> str:
        """Give sacrebleu's signature preceded by the tokenization done before it."""
        rest = super().signature(num_references).split("|", 1)[1]
        return f"{self.kind}|moses:{self.language}|sacremoses:{version('sacremoses')}|{rest}"

    @classmethod
    def from_signature(cls, name: str, signature: str) -> Self | None:
        """See Aggregate."""
        return cls(name=name) if signature_kind(signature) == cls.kind else None

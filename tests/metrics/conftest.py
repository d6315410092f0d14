"""Invented corpora with one, several and a varying number of references."""

import random

import pytest

WORDS = ["The", "dog", "a", "runs", "red", "House", "it's", "3.5%", "end", "Straße", "(so)", "co-op", "was", "naïve"]


def sentence(generator: random.Random) -> str:
    return " ".join(generator.choices(WORDS, k=generator.randint(1, 11))) + generator.choice([".", "!", " .", ""])


def corrupted(line: str, generator: random.Random) -> str:
    words = [generator.choice(WORDS) if generator.random() < 0.3 else word for word in line.split()]
    return " ".join(words[: generator.randint(len(words) - 1, len(words))])


@pytest.fixture(params=["one", "several", "varying"])
def corpus(request: pytest.FixtureRequest) -> tuple[list[str], list[tuple[str, ...]]]:
    """(hypotheses, references) of 40 sentences, an empty hypothesis and an empty reference among them."""
    generator = random.Random(7)
    references = []
    for _ in range(40):
        number = {"one": 1, "several": 3, "varying": generator.randint(1, 4)}[request.param]
        first = sentence(generator)
        references.append((first, *(corrupted(first, generator) for _ in range(number - 1))))
    hypotheses = [corrupted(accepted[0], generator) for accepted in references]
    hypotheses[3] = ""
    references[5] = ("",) * len(references[5])
    return hypotheses, references

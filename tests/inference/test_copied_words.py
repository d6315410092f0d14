"""Words that no vocabulary holds are copied from the source into the output."""

import pytest
import torch

from s2s_lab.assemble import translation
from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.grid import Done, evaluate_grid
from s2s_lab.assemble.inference import build_strategy, load_model
from s2s_lab.data.vocabulary import BOS, EOS, UNK
from s2s_lab.inference.decode import decode
from s2s_lab.inference.frozen import length_sorted_batches
from s2s_lab.inference.score import score_targets
from s2s_lab.inference.utility import TextUtility
from s2s_lab.metrics.chrf import ChrF
from s2s_lab.records.run_folder import RunFolder
from tests.assemble.test_experiment import run
from tests.assemble.test_init import corpus

SHORT = {"_target_": "s2s_lab.decoding.greedy.GreedySearch", "max_length": 4, "min_length": 2}
LINES = ["a Xa b", "Yb", "c d a Xa Zz"]


@pytest.fixture(scope="module")
def pointing(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("pointing")
    words = corpus(folder / "texts", "first")
    sources = folder / "texts" / "first.validation.source"
    sources.write_text("".join(f"Xa {line} Yb\n" for line in sources.read_text().splitlines()))
    return run(folder / "run", *words, "attention=dot", "decoder=attend_last", "output=pointer_generator")


def loaded(pointing: RunFolder):
    model = load_model(pointing.path, device=torch.device("cpu"), precision="float64")
    with torch.no_grad():
        model.network.output.gate.bias.fill_(-50.0)  # it copies alone
    return model


def test_each_unknown_word_has_an_id_that_both_sides_read(pointing: RunFolder) -> None:
    model = loaded(pointing)
    first, second = model.source.ids(LINES[0]), model.source.ids(LINES[2])
    size = len(model.source.vocabulary)
    assert first[1] == second[3] == size and second[4] == size + 1 and first[-1] == EOS
    assert model.source.line(second) == LINES[2]
    assert model.target.line([len(model.target.vocabulary) + 1, UNK]) == "Zz <unk>"
    assert model.target.ids("a Xa") == [*model.target.ids("a")[:1], UNK, EOS]


@pytest.mark.parametrize("sentences", [1, 3])
def test_what_only_copies_says_nothing_but_source_words(sentences: int, pointing: RunFolder) -> None:
    model = loaded(pointing)
    ids = [model.source.ids(line) for line in LINES]
    strategy = build_strategy(SHORT)
    decoded = decode(
        model.network, strategy, length_sorted_batches(ids, sentences=sentences), device=torch.device("cpu")
    )
    for line, best in zip(LINES, decoded.best, strict=True):
        words = model.target.tokens(best.ids)
        assert words and set(words) <= set(line.split())
    assert [model.target.line(best.ids) for best in decoded.best][1].split()[0] == "Yb"


NOISY = {
    "minimum_risk": {
        "_target_": "s2s_lab.decoding.minimum_risk.MinimumRisk",
        "candidates": {"_target_": "s2s_lab.decoding.sampling.Sampling", "_partial_": True, "num_samples": 6},
        "utility": {"_target_": "s2s_lab.metrics.chrf.ChrF"},
    },
    "stochastic_beam": {"_target_": "s2s_lab.decoding.stochastic_beam.StochasticBeam", "num_samples": 3},
    "beam_sampling": {"_target_": "s2s_lab.decoding.beam_sampling.BeamSampling", "size": 3},
}  # fmt: skip


@pytest.mark.parametrize("node", NOISY.values(), ids=NOISY)
def test_copied_words_are_the_same_words_in_every_batch(node: dict, pointing: RunFolder) -> None:
    model = loaded(pointing)
    with torch.no_grad():
        model.network.output.gate.bias.fill_(-3.0)
    lines = [*LINES, "Za Zb", "c Zc a Zd b", "Xa Zd c"]
    ids = [model.source.ids(line) for line in lines]
    found = []
    for sentences in (1, 2, 6):
        strategy = build_strategy({**node, "max_length": 5, "min_length": 2}, target=model.target)
        batches = length_sorted_batches(ids, sentences=sentences)
        decoded = decode(model.network, strategy, batches, device=torch.device("cpu"))
        found.append([model.target.line(best.ids) for best in decoded.best])
    assert found[1] == found[0] and found[2] == found[0]
    assert any(word[0] in "XYZ" for line in found[0] for word in line.split())


def test_a_utility_reads_a_copied_word_as_the_line_at_hand_has_it(pointing: RunFolder) -> None:
    model = loaded(pointing)
    utility, copied = TextUtility(ChrF(), model.target), (4, len(model.target.vocabulary))
    for name in ("Alice", "Bob"):
        model.source.forget()
        model.source.ids(name)
        others = [copied, (4,), (4, 4)]
        fresh = TextUtility(ChrF(), model.target)
        assert utility(others, others).tolist() == fresh(others, others).tolist()
        assert name in model.target.line(copied)


def test_models_of_a_grid_number_copied_words_each_for_itself(pointing: RunFolder) -> None:
    words = [f"runs=[{pointing.path}]", "decoding=sampling", "decoding.num_samples=20", "decoding.max_length=5"]
    words += ["accelerator=cpu", "num_threads=1", "split=validation", "precision=float64,float32"]
    jobs = [plain(each) for each in compose_jobs("evaluate", words, multirun=True, folder=None)]
    found = [each for each in evaluate_grid(jobs) if isinstance(each, Done)]
    assert len(found) == 2
    for each in found:
        text = (each.folder / "nbest.jsonl").read_text()
        assert "Xa" in text or "Yb" in text


def test_unknown_words_share_what_unk_has_without_them(pointing: RunFolder) -> None:
    model = load_model(pointing.path, device=torch.device("cpu"), precision="float64")
    network = model.network
    ids = torch.tensor([model.source.ids(LINES[2])])
    lengths = torch.tensor([ids.shape[1]])
    size = len(model.target.vocabulary)
    with torch.inference_mode():
        probabilities = []
        for values in (ids, ids.masked_fill(ids >= len(model.source.vocabulary), UNK)):
            memory, state = network.start(((values, lengths),))
            scores, state, weights = network.step(torch.tensor([BOS]), state, memory)
            probabilities.append(scores.exp()[0])
            fed, _, _ = network.step(torch.tensor([size if values is ids else UNK]), state, memory)
            probabilities.append(fed.exp()[0, 4:size])
    own, after, together, after_unk = probabilities
    assert own.shape == (size + 2,) and together.shape == (size,)
    torch.testing.assert_close(own[UNK] + own[size:].sum(), together[UNK])
    torch.testing.assert_close(own.sum(), torch.ones((), dtype=torch.float64))
    torch.testing.assert_close(after, after_unk)  # a copied word is fed back as unk
    assert weights is not None


def test_references_are_scored_as_in_training(pointing: RunFolder) -> None:
    model = loaded(pointing)
    targets = [model.target.ids("a b")]
    found = [
        score_targets(model.network, length_sorted_batches([ids], targets, sentences=1), device=torch.device("cpu"))
        for line in ["a Xa b", "a Xb b"]
        for ids in [model.source.ids(line)]
    ]
    assert found[0] == found[1]


TRANSLATE = {
    "accelerator": "cpu", "num_threads": 1, "matmul_precision": "highest", "precision": "float32", "nbest": 1,
    "max_source_length": None, "shortlist": False, "attention_file": None, "batch_sentences": 2, "decoding": SHORT,
}  # fmt: skip


def test_those_of_a_long_stream_are_let_go(pointing: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded(pointing)
    monkeypatch.setattr(translation, "load_model", lambda *_, **__: model)
    lines = [f"X{number} Y{number}" for number in range(100)]
    kept = []
    for line, ((text,), _) in zip(
        lines, translation.translate_lines(lines, {**TRANSLATE, "run": str(pointing.path)}), strict=True
    ):
        assert set(text.split()) <= set(line.split())
        kept.append(len(model.source.unknown.words))
    assert max(kept) == 2 * 2 * translation.CHUNK


def test_translating_shows_them(pointing: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "load_model", lambda *_, **__: loaded(pointing))
    settings = {**TRANSLATE, "run": str(pointing.path)}
    texts = [text for (text,), _ in translation.translate_lines(LINES, settings)]
    assert texts[1].split()[:2] == ["Yb", "Yb"]
    for line, text in zip(LINES, texts, strict=True):
        assert text and set(text.split()) <= set(line.split())

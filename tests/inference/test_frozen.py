"""A model folder holds all of a model, without any pickle, and damage is told in one line."""

from pathlib import Path

import pytest
import torch

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.inference import CHOSEN_KEYS, MODEL_KEYS, load_model
from s2s_lab.assemble.network import build_network
from s2s_lab.data.tokenizers.whitespace import WhitespaceTokenizer
from s2s_lab.data.vocabulary import Vocabulary
from s2s_lab.faults import RequestError
from s2s_lab.inference.decode import decode
from s2s_lab.inference.frozen import FrozenModel, length_sorted_batches, save_model
from s2s_lab.inference.score import score_targets
from s2s_lab.inference.text import TextSide

WORDS = ["model=gru_attention", "encoder.hidden_size=8", "decoder.hidden_size=8", "embedding.embedding_size=8"]
CPU = torch.device("cpu")


def model(*words: str, shared: bool = False) -> FrozenModel:
    override = [f"data.vocabulary.shared={str(shared).lower()}"]
    settings = plain(compose_jobs("train", [*WORDS, *words, *override], multirun=False, folder=None)[0])
    side = TextSide(WhitespaceTokenizer(), Vocabulary(["a", "b", "c", "d"]))
    network = build_network(settings, source_size=8, target_size=8, shared=shared)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    configuration = {key: settings[key] for key in (*MODEL_KEYS, *CHOSEN_KEYS) if key in settings}
    return FrozenModel(network=network.eval(), source=side, target=side, configuration=configuration, shared=shared)


@pytest.mark.parametrize(
    ("words", "shared"),
    [
        ((), False),
        (("output=tied",), False),
        (("output=tied", "embedding=shared"), True),
        (("model=lstm",), False),
        (("cell=lstm", "transition=deep", "cell_dropout=zoneout"), False),
        (("cell=peephole_lstm", "cell_dropout=variational"), False),
    ],
)
def test_a_saved_model_is_rebuilt_exactly(tmp_path: Path, words: tuple[str, ...], shared: bool) -> None:
    original = model(*words, shared=shared)
    save_model(original, tmp_path / "model")
    rebuilt = load_model(tmp_path / "model", device=CPU)
    expected, found = original.network.state_dict(), rebuilt.network.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    batch = next(length_sorted_batches([original.source.ids("a b c"), original.source.ids("d")], sentences=2))
    with torch.inference_mode():
        for first, second in zip(
            original.network.start(batch.sources)[1][0], rebuilt.network.start(batch.sources)[1][0], strict=True
        ):
            assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not [path for path in (tmp_path / "model").iterdir() if path.suffix in (".pt", ".pkl", ".bin")]


def test_tied_weights_stay_one_tensor(tmp_path: Path) -> None:
    save_model(model("output=tied", "embedding=shared", shared=True), tmp_path / "model")
    rebuilt = load_model(tmp_path / "model", device=CPU)
    names = {
        getattr(value, "original", value).data_ptr()  # a packed weight holds the tensor it was made of
        for name, value in rebuilt.network.state_dict().items()
        if "embedding" in name or name == "output.weight"
    }
    assert len(names) == 1


def test_damage_is_told_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_model(model(), folder)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(RequestError, match=r"model\.safetensors: not a readable safetensors file"):
        load_model(folder, device=CPU)
    (folder / "model.safetensors").unlink()
    with pytest.raises(RequestError, match=r"model\.safetensors: no such file"):
        load_model(folder, device=CPU)


def test_a_vocabulary_that_does_not_fit_the_weights_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_model(model(), folder)
    with (folder / "target.vocabulary.txt").open("a", encoding="utf-8") as file:
        file.write("e\n")
    with pytest.raises(RequestError, match=r"is \(8, 8\), the network needs \(9, 8\)"):
        load_model(folder, device=CPU)


def test_a_configuration_cannot_run_code(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_model(model(), folder)
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    evil = text.replace("s2s_lab.models.cells.gru.GRUCell", "os.system")
    assert evil != text
    (folder / "config.yaml").write_text(evil, encoding="utf-8")
    with pytest.raises(RequestError, match=r"'os\.system' may not be built"):
        load_model(folder, device=CPU)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no model in it"):
        load_model(tmp_path, device=CPU)


class Recorder:
    """A strategy that answers with the sentence's own length, to see that order is restored."""

    def decode(self, step, state, memory, *, source_lengths, **others):
        from s2s_lab.decoding.base import Hypothesis

        return [[Hypothesis((4,) * int(length), -1.0, -1.0, True)] for length in source_lengths]


@pytest.mark.parametrize("sentences", [1, 2, 7])
def test_outputs_come_back_in_the_order_of_the_lines(sentences: int) -> None:
    frozen = model()
    lines = ["a", "a b c d", "", "b b", "c d a"]
    batches = length_sorted_batches([frozen.source.ids(line) for line in lines], sentences=sentences)
    decoded = decode(frozen.network, Recorder(), batches, device=CPU)
    assert [len(best.ids) for best in decoded.best] == [len(line.split()) + 1 for line in lines]
    assert decoded.tokens == sum(len(line.split()) + 2 for line in lines)


def test_scores_of_targets_are_summed_log_probabilities() -> None:
    from s2s_lab.data.collate import collate

    frozen = model()
    network = frozen.network.double()
    sources, targets = [[4, 5, 3], [6, 3]], [[5, 3], [4, 6, 7, 3]]
    found = score_targets(network, [collate(sources, targets, [10, 11])], device=CPU)
    for index, source, target in zip((10, 11), sources, targets, strict=True):
        memory, state = network.start(((torch.tensor([source]), torch.tensor([len(source)])),))
        previous, total = torch.tensor([2]), 0.0
        for token in target:
            scores, state, _ = network.step(previous, state, memory)
            total += float(scores.detach().log_softmax(1)[0, token])
            previous = torch.tensor([token])
        assert found[index][0] == pytest.approx(total, abs=1e-4)
        assert found[index][1] == len(target)

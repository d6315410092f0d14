"""The tables that an output needs are made of the training pairs, and kept with the model."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from s2s_lab.assemble.inference import load_model
from s2s_lab.assemble.tables import best_translations, matching_ids
from s2s_lab.data.lexicon import Probabilities
from s2s_lab.data.vocabulary import BOS, EOS, NUM_SPECIALS, PAD, UNK, Vocabulary
from s2s_lab.faults import RequestError
from s2s_lab.inference.folder import write_sums
from s2s_lab.inference.frozen import WEIGHTS
from tests.assemble.test_experiment import run
from tests.assemble.test_init import corpus

A, B, C = NUM_SPECIALS, NUM_SPECIALS + 1, NUM_SPECIALS + 2


def test_the_best_translations_come_first_and_eos_translates_into_itself():
    found = Probabilities(
        np.array([UNK, EOS, A, A, A, B]), np.array([A, B, UNK, A, B, C]), np.array([1.0, 1.0, 0.2, 0.3, 0.5, 1.0])
    )
    ids, probabilities = best_translations(found, source_size=C + 1, translations=2)
    assert ids.tolist() == [[0, 0], [A, 0], [0, 0], [EOS, 0], [B, A], [C, 0], [0, 0]]
    expected = [[0, 0], [1, 0], [0, 0], [1, 0], [0.5, 0.3], [1, 0], [0, 0]]
    np.testing.assert_allclose(probabilities, np.array(expected, np.float32))
    assert probabilities[[PAD, BOS]].sum() == 0.0


def test_a_source_id_matches_the_target_id_of_the_same_token():
    ids = matching_ids(Vocabulary(["walk", "run", "jump"]), Vocabulary(["run", "walk"]))
    assert ids.tolist() == [PAD, UNK, BOS, EOS, B, A, UNK]


def test_a_trained_models_lexicon_is_in_its_folder_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    words = corpus(tmp_path / "texts", "first")
    made = run(tmp_path / "run", *words, "attention=dot", "decoder=input_feeding", "output=lexicon_prior")
    model = load_model(made.path, device=torch.device("cpu"))
    output = model.network.output
    ids, probabilities = output.get_buffer("lexicon_ids"), output.get_buffer("lexicon_probabilities")
    known = probabilities[NUM_SPECIALS:, 0] > 0.0
    assert known.all()
    best = ids[NUM_SPECIALS:, 0].tolist()  # every sentence is its own translation
    assert [model.target.vocabulary.tokens[id_] for id_ in best] == list(model.source.vocabulary.tokens[NUM_SPECIALS:])
    for precision in ("float64", "bfloat16", "int8"):
        fast = load_model(made.path, device=torch.device("cpu"), precision=precision)
        with torch.inference_mode():
            memory, state = fast.network.start(((torch.tensor([[A, B, EOS]]), torch.tensor([3])),))
            scores, _, _ = fast.network.step(torch.tensor([BOS]), state, memory)
        assert scores.shape == (1, len(model.target.vocabulary)) and scores.isfinite().all()
    weights = load_file(made.model / WEIGHTS)
    weights["output.lexicon_ids"][5, 0] = 1000
    save_file(weights, made.model / WEIGHTS)
    write_sums(made.model)
    with pytest.raises(RequestError, match=r"output.lexicon_ids holds ids from 0 to 1000, expected 0"):
        load_model(made.path, device=torch.device("cpu"))


def test_a_training_from_other_weights_has_the_lexicon_of_its_own_pairs(tmp_path: Path) -> None:
    words = [*corpus(tmp_path / "texts", "first"), "attention=dot", "decoder=input_feeding", "output=lexicon_prior"]
    first = run(tmp_path / "first", *words)
    target = tmp_path / "texts" / "first.train.target"
    lines = target.read_text().splitlines()
    target.write_text("\n".join([*lines[7:], *lines[:7]]) + "\n")  # other sentences are translations of each other
    fresh = run(tmp_path / "fresh", *words)
    second = run(tmp_path / "second", *words, f"init={first.path}")
    tables = [load_file(made.model / WEIGHTS)["output.lexicon_probabilities"] for made in (first, fresh, second)]
    assert torch.equal(tables[2], tables[1]) and not torch.equal(tables[2], tables[0])

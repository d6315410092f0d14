"""Named models of papers have the sizes and the first values that the papers give."""

import pytest
import torch

from s2s_lab.assemble.configuration import compose_each, plain
from s2s_lab.assemble.network import build_network, without_memory
from s2s_lab.models.seq2seq import Seq2Seq

UNIFORM = {"sutskever_2014": 0.08, "luong_2015": 0.1, "luong": 0.1, "gnmt_2016": 0.04}
"""Half the width of the interval that every parameter is drawn from."""


def network(model: str, source_size: int, target_size: int, *, shared: bool = False) -> Seq2Seq:
    words = [f"model={model}", f"data.vocabulary.shared={str(shared).lower()}"]
    settings = plain(compose_each("train", [words])[0])
    with without_memory():
        return build_network(settings, source_size=source_size, target_size=target_size, shared=shared)


def size(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_sutskever_et_al_count_384_million_parameters_64_million_of_them_recurrent() -> None:
    """Section 3.4: "384M parameters of which 64M are pure recurrent connections (32M for the encoder ...)"."""
    built = network("sutskever_2014", 160_000, 80_000)
    assert size(built) == pytest.approx(384e6, rel=0.005)
    for side in (built.encoder, built.decoder):
        assert size(side) == pytest.approx(32e6, rel=0.01)


def test_vaswani_et_al_count_65_million_parameters() -> None:
    """Table 3, the base model, with the 37,000 tokens that section 5.1 shares between the languages."""
    assert size(network("vaswani_2017", 37_000, 37_000, shared=True)) == pytest.approx(65e6, rel=0.04)


def test_see_et_al_count_512_parameters_of_coverage() -> None:
    """Section 5: "coverage adds 512 extra parameters (w_c in equation 11)"."""
    built = network("see_2017", 50_000, 50_000, shared=True)
    assert size(built.decoder.get_submodule("attention.feature_projection")) == 512


@pytest.mark.parametrize(("model", "scale"), UNIFORM.items())
def test_what_papers_draw_uniformly_is(model: str, scale: float) -> None:
    words = [f"model={model}", "encoder.hidden_size=64", "decoder.hidden_size=64", "embedding.embedding_size=64"]
    settings = plain(compose_each("train", [words])[0])
    assert settings["initialization"]["scale"] == scale
    built = build_network(settings, source_size=50, target_size=40, shared=False)
    for name, parameter in built.named_parameters():
        if parameter.dim() > 1:
            assert 0.8 * scale < parameter.abs().max() <= scale, name

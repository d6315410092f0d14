"""Every option of every group composes, is checked, and builds; words of the command line meet one clear line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from s2s_lab.assemble.configuration import choices, compose_jobs, plain
from s2s_lab.assemble.options import conf_folder, groups
from s2s_lab.faults import RequestError

ELSEWHERE = ("constraint", "normalizer")  # groups that have no place of their own in a training
IN_TRAINING = sorted(
    (group, option) for group, options in groups().items() for option in options if group not in ELSEWHERE
)
SMALL = ["encoder.hidden_size=8", "decoder.hidden_size=8", "embedding.embedding_size=8"]


def one(*words: str, name: str = "train"):
    return compose_jobs(name, list(words), multirun=False, folder=None)[0]


def test_every_folder_of_conf_holds_options() -> None:
    assert all(options for options in groups().values())


@pytest.mark.parametrize(("group", "option"), IN_TRAINING)
def test_every_option_composes_and_passes_the_checks(group: str, option: str) -> None:
    configuration = one(f"{group}={option}")
    assert choices(configuration.hydra)[group] == option


@pytest.mark.parametrize("constraint", groups()["constraint"])
@pytest.mark.parametrize("name", ["evaluate", "translate"])
def test_every_constraint_composes_and_passes_the_checks(name: str, constraint: str) -> None:
    assert list(
        one(f"constraint={constraint}", "run=DIR" if name == "translate" else "runs=[DIR]", name=name).constraint
    )


@pytest.mark.parametrize("attention", ["additive", "multi_head", "local_p", "location_aware_smooth", "transformer"])
@pytest.mark.parametrize("normalizer", groups()["normalizer"])
def test_every_normalizer_takes_its_place_in_an_attention(normalizer: str, attention: str) -> None:
    from s2s_lab.assemble.network import build_network

    words = [f"attention={attention}", f"normalizer@attention.normalizer={normalizer}"]
    configuration = one(*words, "attention.normalizer.temperature=0.5", *SMALL)
    network = build_network(plain(configuration), source_size=7, target_size=9, shared=False)
    chosen = network.decoder.attention.normalizer
    assert chosen is not None
    assert f"{type(chosen).__module__}.{type(chosen).__name__}" == body_of("normalizer", normalizer)["_target_"]
    assert chosen.temperature == 0.5


def test_an_attention_takes_its_energies_from_another() -> None:
    from s2s_lab.assemble.network import build_network

    configuration = one("attention=multi_head", "attention@attention.energy=concat", *SMALL)
    network = build_network(plain(configuration), source_size=7, target_size=9, shared=False)
    assert type(network.decoder.attention.energy).__name__ == "ConcatAttention"


@pytest.mark.parametrize(
    "path", sorted(conf_folder().rglob("*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_every_option_says_what_it_is(path: Path) -> None:
    comments = [line for line in path.read_text(encoding="utf-8").splitlines()[:4] if line.startswith("# ")]
    assert [line for line in comments if "@package" not in line]


@pytest.mark.parametrize("model", groups()["model"])
def test_every_model_builds_on_the_meta_device(model: str) -> None:
    from s2s_lab.assemble.job import check_parts

    check_parts(one(f"model={model}"))


def test_what_is_chosen_around_cells_leaves_nothing_where_nothing_is_chosen() -> None:
    """So the hashes of trainings that do not make such a choice stay what they are without it."""
    configuration = plain(one())
    assert not {"transition", "cell_dropout", "sources"} & set(configuration)
    assert plain(one("transition=shallow", "cell_dropout=none", "sources=one")) == configuration
    assert plain(one("cell_dropout=zoneout")).keys() - configuration.keys() == {"cell_dropout"}


def test_what_is_chosen_around_cells_is_around_those_of_both_sides() -> None:
    from s2s_lab.assemble.network import build_network
    from s2s_lab.models.cells.deep_transition import DeepTransitionCell
    from s2s_lab.models.cells.gru import GRUCell
    from s2s_lab.models.cells.zoneout import ZoneoutCell

    words = ["transition=deep", "transition.depth=3", "cell_dropout=zoneout", "cell_dropout.hidden=0.2", *SMALL]
    network = build_network(plain(one(*words)), source_size=7, target_size=9, shared=False)
    kinds = [type(module) for module in network.modules()]
    assert kinds.count(ZoneoutCell) == kinds.count(DeepTransitionCell) == 3  # both directions, and the decoder
    assert kinds.count(GRUCell) == 9


def body_of(group: str, option: str) -> dict[str, Any]:
    """What an option sets, its parents' settings included."""
    node = yaml.safe_load((conf_folder() / group / f"{option}.yaml").read_text(encoding="utf-8"))
    parents = [entry for entry in node.pop("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    merged: dict[str, Any] = {}
    for part in [*(body_of(group, parent) for parent in parents), node]:
        for key, value in part.items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    return merged


MODELS = [("model", model) for model in groups()["model"]]
EXPERIMENTS = [("experiment", name) for name in groups()["experiment"] if name != "multi30k_transformer_tiny"]


@pytest.mark.parametrize(("kind", "name"), MODELS + EXPERIMENTS)
def test_a_model_and_an_experiment_set_only_what_every_option_of_a_group_accepts(kind: str, name: str) -> None:
    """So that any part can be chosen in place of theirs; only the one paper's recipe is of its parts alone."""
    parts = ("encoder", "decoder", "attention", "bridge", "cell", "embedding", "output")
    for group in (*parts, "learning_rate", "optimizer", "objective", "teacher_forcing"):
        for key in body_of(kind, name).get(group, {}):
            lacking = [option for option in groups()[group] if key not in body_of(group, option)]
            assert not lacking, f"{kind}={name} sets {group}.{key}, which {', '.join(lacking)} of {group} lack"


@pytest.mark.parametrize(
    "words",
    [
        ["model=gru_attention", "encoder=transformer", "decoder=transformer", "decoder.num_heads=4"],
        ["model=transformer", "encoder=recurrent", "attention=additive", "bridge=projected"],
        ["model=transformer_tiny", "decoder=attend_last", "bridge=projected"],
    ],
)
def test_encoders_and_decoders_of_different_kinds_build_together(words: list[str]) -> None:
    from s2s_lab.assemble.job import check_parts

    check_parts(one(*words))


def test_a_cell_for_a_part_without_cells_is_refused() -> None:
    with pytest.raises(RequestError, match=r"unknown key encoder\.cell"):
        one("model=transformer", "cell@encoder.cell=lstm")


def test_a_single_part_of_a_named_model_can_be_chosen_alone() -> None:
    configuration = one("model=gru_attention", "cell=lstm", "attention=dot", "bridge=zero")
    assert choices(configuration.hydra)["cell"] == "lstm"
    assert configuration.cell._target_.endswith("LSTMCell")
    assert configuration.attention._target_.endswith("DotAttention")
    assert configuration.bridge._target_.endswith("ZeroBridge")


def test_a_sides_own_cell_is_taken() -> None:
    from s2s_lab.assemble.network import build_network

    configuration = one("model=gru", "bridge=projected", "cell@encoder.cell=lstm", *SMALL)
    network = build_network(plain(configuration), source_size=7, target_size=9, shared=False)
    assert [len(parts) for parts in network.encoder.state_sizes] == [2]
    assert [len(parts) for parts in network.decoder.state_sizes] == [1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cell_dropout=zoneut"], r"cell_dropout=zoneut: there is no such option; did you mean zoneout\?"),
        (["cell_dropout._target_=s2s_lab.models.cells.gru.GRUCell"], r"unknown key cell_dropout\._target_"),
        (["cell.gates=3"], r"unknown key cell\.gates(?!.*_partial_)"),
        (["sed=1"], r"unknown key sed; did you mean seed\?"),
        (["encoder.hidden_sise=3"], r"unknown key encoder\.hidden_sise; did you mean encoder\.hidden_size\?"),
        (["+encoder.hidden_sise=3"], r"unknown key encoder\.hidden_sise; did you mean encoder\.hidden_size\?"),
        (["optimizer=sgd", "optimizer.betas=[0.9,0.9]"], r"key optimizer\.betas: optimizer=sgd has no such key$"),
        (
            ["model=gru", "attention.attention_size=3"],
            r"attention_size: the option chosen for attention has no such key$",
        ),
        (
            ["data.batch={max_sentence: 3}"],
            r"unknown key data\.batch\.max_sentence; did you mean data\.batch\.max_sentences",
        ),
        (["+bogus.x=1"], r"unknown key bogus"),
        (["+trainer.max_step=1"], r"unknown key trainer\.max_step; did you mean trainer\.max_steps\?"),
        (["model=gru_atention"], r"model=gru_atention: there is no such option; did you mean gru_attention\?"),
        (["modell=gru"], r"unknown key modell; did you mean model\?"),
        (["~attention"], r"~attention deletes a key"),
        (["seed=-1"], r"seed=-1: at least 0 is expected"),
        (["seed=4294967296"], r"seed=4294967296: at most 4294967295 is expected"),
        (["seed=abc"], r"seed='abc': int is expected"),
        (["encoder.hidden_size=big"], r"encoder\.hidden_size='big': int is expected"),
        (["trainer.precision=16"], r"trainer\.precision=16"),
        (["trainer=null"], r"trainer=null: an option of the group trainer is expected"),
        (["optimizer.lr=fast"], r"optimizer: .*optimizer\.lr='fast'"),
        (["learning_rate=plateau", "learning_rate.decay=1.5"], r"learning_rate\.decay=1\.5: a number between 0 and 1"),
        (["learning_rate=plateau", "learning_rate.patience=-1"], r"learning_rate\.patience=-1: at least 0"),
        (["learning_rate=step_decay", "learning_rate.decay=-2"], r"learning_rate\.decay=-2.*: a number above 0"),
        (["trainer.max_steps=-1"], r"trainer\.max_steps or trainer\.max_epochs must be at least 1"),
        (["optimizer.lr=inf"], r"optimizer\.lr=inf: a finite number is expected"),
        (["trainer.max_minutes=nan"], r"trainer\.max_minutes=nan: a finite number is expected"),
        (["optimizer.betas=[0.9,-inf]"], r"optimizer\.betas=\[0\.9, -inf\]: a finite number is expected"),
        (["name=a\udcff"], r"cannot read the word 'name=a\\udcff': it is not UTF-8"),
        (["optimizer.lr=-1"], r"optimizer: Invalid learning rate.*optimizer\.lr=-1"),
        (["hydra/launcher=slurmm"], r"launcher=slurmm: there is no such option; did you mean slurm\?"),
        (["seed=1,2"], r"seed=1,2 asks for several jobs: add -m"),
        (["encoder._target_=os.system"], r"encoder\._target_='os\.system' may not be built"),
        (["optimizer._target_=torch.optim.adam.torch.load"], r"may not be built"),
        (["seed="], r"seed='': int is expected"),
        (["=3"], r"cannot read"),
        (["hydra.searchpath=[/no/such/folder]"], r"there is no folder /no/such/folder"),
        (["cell@encoder.cell=lstmm"], r"cell=lstmm: there is no such option; did you mean lstm\?"),
        (["normalizer@attention.normalizer=sparsmax"], r"normalizer=sparsmax: .*; did you mean sparsemax\?"),
        (["attention=none", "normalizer@attention.normalizer=entmax"], r"unknown key attention\.normalizer"),
        (["attention.normalizer=entmax"], r"did you mean normalizer@attention\.normalizer\?"),
        (["normalizer=entmax"], r"unknown key normalizer; did you mean normalizer@attention\.normalizer\?"),
        (["data=parallel"], r"data\.train: source=FILE and target=FILE, or tsv=FILE is expected"),
    ],
)
def test_wrong_words_get_one_line(words: list[str], expected: str) -> None:
    with pytest.raises(RequestError, match=expected) as caught:
        one(*words)
        from s2s_lab.assemble.job import check_parts

        check_parts(one(*words))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["model=gru", "decoder.input_feeding=true"], "input_feeding"),
        (["model=gru", "encoder.num_layers=2"], "copy"),
        (["model=gru_attention", "bridge=copy", "encoder.hidden_size=256"], "copy"),
        (["model=gru_attention", "output=tied"], "tied|embedding"),
        (["model=gru_attention", "encoder.hidden_size=7"], "7"),
        (["model=gru_attention", "attention=dot", "encoder.hidden_size=256"], "256"),
        (["attention=multi_head", "attention.num_heads=7"], r"attention\.num_heads is 7"),
        (
            ["attention=multi_head", "attention@attention.energy=none"],
            r"attention\.energy is NoAttention",
        ),
        (["attention=local_m", "attention@attention.energy=coverage"], r"attention\.energy is CoverageAttention"),
        (["attention=multi_head", "attention.energy=dot"], r"attention\.energy is 'dot'"),
        (["data=multi30k", "paths.data=/no/such/folder"], "paths.data|/no/such/folder"),
        (["model=transformer", "cell_dropout=zoneout"], "cell_dropout is chosen, but neither encoder nor decoder has"),
        (["cell=sru", "transition=deep"], "transition=deep needs a cell that reads its previous output"),
        (["cell=lstm_no_forget_gate", "cell.forget_bias=1.0"], "cell.forget_bias is 1.0, expected null"),
        (["cell_dropout=zoneout", "cell_dropout.hidden=1.5"], "cell_dropout.hidden is 1.5"),
        (["+cell.hidden_size=9"], r"^cell\.hidden_size is 9, expected not to be set: the other parts decide it"),
        (["model=luong", "+attention.query_size=9"], r"^attention\.query_size is 9, expected not to be set"),
        (
            ["cell@decoder.cell=gru", "+decoder.cell.input_size=9"],
            r"^decoder\.cell\.input_size is 9, expected not to be",
        ),
        (
            ["attention=local_p", "+attention.energy.memory_size=9"],
            r"^attention\.energy\.memory_size is 9, expected not",
        ),
        (["metrics.monitor=blue"], "metrics.monitor=blue"),
    ],
)
def test_impossible_combinations_are_refused_before_anything_is_read(words: list[str], expected: str) -> None:
    from s2s_lab.assemble.job import check_parts

    with pytest.raises(RequestError, match=expected) as caught:
        check_parts(one(*words))
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_in_an_experiment_of_the_users_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ntrainer:\n  max_stepps: 3\n", encoding="utf-8"
    )
    with pytest.raises(RequestError, match=r"trainer\.max_stepps; did you mean trainer\.max_steps\?"):
        compose_jobs("train", ["experiment=mine"], multirun=False, folder=str(tmp_path))


def test_a_users_own_option_is_found_and_a_missing_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - gru\nencoder:\n  hidden_size: 24\n", encoding="utf-8"
    )
    configuration = compose_jobs("train", ["model=mine"], multirun=False, folder=str(tmp_path))[0]
    assert configuration.encoder.hidden_size == 24
    with pytest.raises(RequestError, match="there is no such folder"):
        compose_jobs("train", [], multirun=False, folder=str(tmp_path / "none"))


def test_a_sweep_composes_the_product_of_its_values() -> None:
    jobs = compose_jobs("train", ["model=rnn,lstm", "seed=1,2,3"], multirun=True, folder=None)
    assert {(choices(job.hydra)["model"], job.seed) for job in jobs} == {
        (m, s) for m in ("rnn", "lstm") for s in (1, 2, 3)
    }


def test_a_wrong_value_in_a_late_job_of_a_sweep_is_found_first() -> None:
    with pytest.raises(RequestError, match="lstmm"):
        compose_jobs("train", ["model=rnn,lstmm"], multirun=True, folder=None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["seed=1,1"], "jobs 1 and 2 of the sweep are the same: seed=1"),
        (["seed=1,2", "model=gru,lstm,gru"], "jobs 1 and 3 of the sweep are the same: seed=1 model=gru"),
        (["optimizer.lr=0.1,1e-1"], "jobs 1 and 2 of the sweep are the same: optimizer.lr="),
    ],
)
def test_a_job_that_a_sweep_asks_for_twice_is_refused(words: list[str], expected: str) -> None:
    with pytest.raises(RequestError, match=expected):
        compose_jobs("train", words, multirun=True, folder=None)


def test_a_logger_without_its_packages_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from s2s_lab.assemble.job import check_parts

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorboard" else found(name))
    with pytest.raises(
        RequestError, match=r"logger=tensorboard needs the package tensorboard: .*s2s-lab\[tensorboard\]"
    ):
        check_parts(one("logger=wandb_tensorboard"))
    check_parts(one("logger=wandb"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["runs=[1]"], r"runs=\[1\]: run folders are expected"),
        (["runs=[null]"], "run folders are expected"),
        (["runs=[x]", "together=RUN"], r"together='RUN': a list is expected, together=\[\.\.\.\]"),
        (["runs=[x]", "rerank=RUN"], "rerank='RUN': a list is expected"),
        (["runs=[x]", "together=[RUN]", "together_weights=2"], "together_weights=2: a list is expected"),
    ],
)
def test_lists_of_runs_are_lists(words: list[str], expected: str) -> None:
    with pytest.raises(RequestError, match=expected):
        compose_jobs("evaluate", words, multirun=False, folder=None)

"""From command-line words to checked configurations: composes every job first and turns each failure into one line."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from s2s_lab.assemble.foreign import check_hydra_node, check_own_options, close_environment
from s2s_lab.assemble.options import beside_hydra, conf_folder, groups
from s2s_lab.assemble.schema import SECTIONS, check
from s2s_lab.assemble.search_words import chooses_search, fixed_words
from s2s_lab.assemble.word_faults import first_lines, one_line_errors, unknown_option
from s2s_lab.faults import RequestError

close_environment()

LATER_KEYS = {
    "trainer": {
        "num_nodes": 1,
        "averaging_start": 0,
        "averaging_period": 1,
        "try_largest_batch": False,
        "skip_bad_batches": 0,
        "max_minutes": None,
        "average_last": None,
    },
    "data": {"replacement": False, "vocabulary_from": None},
    "teacher_forcing": {"coin": "token"},
    "callbacks": {"more": {}},
}
"""Keys that later versions have added to sections of a training, at the values that change nothing."""


def plain(configuration: DictConfig) -> dict[str, Any]:
    """A composed configuration as plain resolved containers, without Hydra's own node.

    Raises:
        RequestError: if an interpolation leads nowhere or a mandatory value is missing.
    """
    own = OmegaConf.masked_copy(configuration, [str(key) for key in configuration if key != "hydra"])
    try:
        container = OmegaConf.to_container(own, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise RequestError(f"{error.full_key}=... is missing; it has no value of its own") from error
    except (OmegaConfBaseException, RecursionError) as error:
        raise RequestError(first_lines(error)) from error
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def with_later_keys(frozen: Mapping[str, Any]) -> dict[str, Any]:
    """A frozen training configuration with what versions after its own have added, at values that change nothing."""
    sections = {section: {**added, **frozen[section]} for section, added in LATER_KEYS.items() if section in frozen}
    return {"init": None, **frozen, **sections}


def without_later_keys(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A training configuration without what changes nothing, so that a job's hash outlives the versions."""
    sections = {
        section: {key: value for key, value in settings[section].items() if key not in added or value != added[key]}
        for section, added in LATER_KEYS.items()
    }
    return {**settings, **sections}


def choices(hydra: DictConfig) -> dict[str, str]:
    """The chosen option of each group, from Hydra's own node."""
    chosen = OmegaConf.to_container(hydra.runtime.choices)
    assert isinstance(chosen, dict)
    return {str(group): str(option) for group, option in chosen.items() if "hydra/" not in str(group) and option}


def compose_jobs(name: str, words: Sequence[str], *, multirun: bool, folder: str | None) -> list[DictConfig]:
    """Composes and checks the configuration of every job that the words ask for.

    Args:
        name: the primary configuration: train, evaluate or translate.
        words: overrides of the command line.
        multirun: whether values with commas sweep.
        folder: the user's own folder of options (`--config-dir`).

    Returns:
        One configuration a job, with Hydra's own node.

    Raises:
        RequestError: one line that names the word or key at fault, and the nearest known one.
    """
    for word in words:
        if any("\udc80" <= letter <= "\udcff" for letter in word):  # how Python keeps bytes that are no text
            raise RequestError(f"cannot read the word {word!a}: it is not UTF-8")
    if folder is not None and not Path(folder).is_dir():
        raise RequestError(f"--config-dir {folder}: there is no such folder")
    if folder is not None:
        check_own_options(Path(folder))
    search = [] if folder is None else [f"hydra.searchpath=[{Path(folder).resolve()}]"]
    try:
        overrides = OverridesParser.create().parse_overrides(list(words))
    except HydraException as error:
        reason = first_lines(error).removeprefix("LexerNoViableAltException: ")
        raise RequestError(
            f"cannot read the words of the command line: {reason} (a value with spaces, quotes or other letters than "
            f"a-z needs quotes of its own: 'KEY=\"VALUE\"')"
        ) from error
    for override in overrides:
        _check_word(override)
        if override.is_interval_sweep() and not chooses_search(overrides):
            raise RequestError(f"{override.input_line}: only a search draws from an interval: -m hydra/sweeper=optuna")
        if multirun and override.value_type == ValueType.GLOB_CHOICE_SWEEP:
            raise RequestError(f"{override.input_line}: glob is not supported; name the options with commas")
        if override.key_or_group == "hydra.searchpath":
            _check_search_path(override.value())
    if multirun and chooses_search(overrides):  # its jobs are drawn, and checked before the first one starts
        if name != "train":
            raise RequestError("hydra/sweeper: only s2s-train searches; s2s-evaluate takes values with commas")
        compose_each(name, [fixed_words(overrides)], search=search)
        return []
    if multirun:
        try:
            jobs = BasicSweeper.split_arguments(overrides, max_batch_size=None)[0]
        except HydraException as error:
            raise RequestError(first_lines(error)) from error
    else:
        sweeping = [str(override.input_line) for override in overrides if override.is_sweep_override()]
        if sweeping:
            raise RequestError(f"{sweeping[0]} asks for several jobs: add -m")
        jobs = [list(words)]
    composed = compose_each(name, jobs, search=search)
    _check_different(composed, jobs)
    return composed


def compose_each(name: str, jobs: Sequence[Sequence[str]], *, search: Sequence[str] = ()) -> list[DictConfig]:
    """Composes and checks one configuration for each list of words.

    Jobs that choose the same options of groups are composed once; their values are set in copies.

    Args:
        name: the primary configuration: train, evaluate or translate.
        jobs: overrides of each job, without sweeps.
        search: words before those of every job.

    Returns:
        One configuration a job, with Hydra's own node.

    Raises:
        RequestError: one line that names the word or key at fault, and the nearest known one.
    """
    composed, bases = [], dict[tuple[str, ...], DictConfig]()
    with beside_hydra(), initialize_config_dir(str(conf_folder()), version_base="1.3"):
        for words in jobs:
            with one_line_errors(name, words):
                overrides = OverridesParser.create().parse_overrides(list(words))
                values = [override for override in overrides if _sets_a_value(override)]
                options = (*search, *(str(override.input_line) for override in overrides if override not in values))
                if options not in bases:
                    bases[options] = compose(name, list(options), return_hydra_config=True)
                configuration = copy.deepcopy(bases[options])
                ConfigLoaderImpl._apply_overrides_to_config(values, configuration)
            own = [word for word in words if not word.lstrip("+~").startswith("hydra")]
            configuration.hydra.overrides.task = own
            composed.append(configuration)
    for configuration in composed:
        check_hydra_node(configuration.hydra)
        _check_search_path(configuration.hydra.searchpath)
        _check_choices(configuration)
        check(plain(configuration), SECTIONS[name])
    return composed


def _sets_a_value(override: Override) -> bool:
    """Whether a word surely sets one key, and chooses no option of a group."""
    key = str(override.key_or_group)
    plain_word = not (override.is_add() or override.is_delete() or override.package)
    return plain_word and not key.startswith("hydra") and ("." in key or key in ("seed", "name", "experiment_name"))


def _check_different(composed: Sequence[DictConfig], words: Sequence[Sequence[str]]) -> None:
    """Refuses a sweep that asks for the same job twice, as `seed=1,1` does."""
    first: dict[str, int] = {}
    for number, configuration in enumerate(composed):
        earlier = first.setdefault(repr(plain(configuration)) if len(composed) > 1 else "", number)
        if earlier != number:
            asked = " ".join(words[number])
            raise RequestError(f"jobs {earlier + 1} and {number + 1} of the sweep are the same: {asked}")


def _check_word(override: Override) -> None:
    word, key = override.input_line, override.key_or_group
    if not key:
        raise RequestError(f"cannot read the word {word}: KEY=VALUE or GROUP=OPTION is expected")
    if override.is_delete():
        raise RequestError(f"{word} deletes a key; choose another option instead (attention=none, ...)")
    value = override.value()
    known = groups().get(key)
    none_is_an_option = value is None and key in ("experiment", "debug", "metrics")
    none_is_an_option |= value == [] and key == "constraint"
    if known is not None and not override.is_sweep_override() and not none_is_an_option:
        if not isinstance(value, str | list) or not value:
            raise RequestError(f"{word}: an option of the group {key} is expected (known: {', '.join(known)})")


def _check_choices(configuration: DictConfig) -> None:
    """Refuses an unknown option of an optional group, which Hydra leaves out in silence."""
    for group, option in choices(configuration.hydra).items():
        name, _, place = group.partition("@")
        missing = (place or name) in configuration and configuration[place or name] is None
        if missing or ("." in place and OmegaConf.select(configuration, place) is None):
            raise RequestError(unknown_option(name, option))


def _check_search_path(entries: Any) -> None:
    """Refuses a folder that is not there; Hydra itself would only warn."""
    for entry in entries or []:
        if "://" in str(entry) and not str(entry).startswith("file://"):  # importing a package runs its code
            raise RequestError(f"hydra.searchpath: {entry} is no folder; --config-dir DIR adds your own options")
        if not Path(str(entry).removeprefix("file://")).is_dir():
            raise RequestError(f"hydra.searchpath: there is no folder {entry}")

"""How the next trial is drawn: Optuna's samplers, each new for every trial so that a restart changes nothing."""

import importlib.util
import io
import pickle
import warnings
from typing import TYPE_CHECKING, Any

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.search.settings import SearchSettings
from s2s_lab.sweeps.search.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

OF_A_CMA_STATE = {
    ("cmaes._cma", "CMA"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.random._mt19937", "MT19937"),
    ("numpy.random._pickle", "__bit_generator_ctor"),
    ("numpy.random._pickle", "__randomstate_ctor"),
}
"""All that the recorded state of CMA-ES is made of."""


def check_sampler(settings: SearchSettings, space: Space) -> None:
    """Refuses a sampler that cannot search a space.

    Raises:
        RequestError: if the grid would be infinite or empty, or a package is missing.
    """
    if settings.sampler == "grid":
        for dimension in space.dimensions:
            if dimension.values.options() is None:
                raise RequestError(
                    f"hydra.sweeper.sampler=grid: {dimension.name} has endless values; use choice or range for it, or "
                    "another sampler"
                )
    if settings.sampler == "cmaes" and importlib.util.find_spec("cmaes") is None:
        raise RequestError("hydra.sweeper.sampler=cmaes needs the package cmaes: pip install cmaes")


def sampler_for(settings: SearchSettings, draw: int) -> "BaseSampler":
    """The sampler of one trial.

    What a sampler knows lies in the trials of the study; its chance is a function of the seed and of the trial alone,
    so that a search that was interrupted draws what an undisturbed one does.

    Args:
        settings: of the search.
        draw: how many trials were drawn before.
    """
    import numpy
    from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler

    seed = int(numpy.random.SeedSequence((settings.seed, draw)).generate_state(1)[0])
    startup = settings.startup_trials
    if settings.sampler == "tpe":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the joint and grouped drawing, which conditions need, is called new
            return TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=True, constant_liar=True)
    if settings.sampler == "nsgaii":
        return NSGAIISampler(seed=seed, population_size=max(2, startup))
    if settings.sampler == "cmaes":
        return _careful_cmaes(seed, startup)
    return RandomSampler(seed=seed)


def _careful_cmaes(seed: int, startup: int) -> "BaseSampler":
    """CMA-ES that reads its recorded state without running what a journal from elsewhere may have put there."""
    from optuna.samplers import CmaEsSampler, RandomSampler

    class CarefulCmaEs(CmaEsSampler):
        def _restore_optimizer(self, completed_trials: list[Any]) -> Any:
            for trial in reversed(completed_trials):
                parts = {key: text for key, text in trial.system_attrs.items() if key.startswith("cma:optimizer")}
                if parts:
                    return read_cma_state(bytes.fromhex(self._concat_optimizer_attrs(parts)))
            return None

    random = RandomSampler(seed=seed)
    return CarefulCmaEs(
        seed=seed, n_startup_trials=startup, independent_sampler=random, warn_independent_sampling=False
    )


def read_cma_state(state: bytes) -> Any:
    """The recorded state of CMA-ES.

    Raises:
        RequestError: if it holds anything else.
    """

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if (module, name) not in OF_A_CMA_STATE:
                raise RequestError(f"search.journal: the state of CMA-ES names {module}.{name}; it is not trusted")
            return super().find_class(module, name)

    try:
        return Reader(io.BytesIO(state)).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"search.journal: the state of CMA-ES cannot be read ({error})") from None

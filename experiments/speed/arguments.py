"""The words of `python -m experiments.speed`."""

import argparse
from pathlib import Path
from typing import NoReturn

from experiments.speed.results import FOLDER
from experiments.speed.scaling import DIMENSIONS
from s2s_lab.faults import RequestError

ABOUT = """Measures how fast s2s_lab trains, decodes and reads its data. Results go to experiments/speed/results/ as
JSON; `table` makes the tables of experiments/speed/README.md from them. Nothing else should run meanwhile."""
COMMANDS = {
    "bench": "train, decode, data and shares, one after the other; about 10 minutes on 2 cores",
    "train": "tokens a second and peak memory of s2s-train",
    "decode": "sentences and tokens a second and BLEU of s2s-evaluate",
    "data": "pairs a second of batches and collator, and the memory of streaming made-up pairs",
    "shares": "where the time of a training step goes, and the ratio to the bounds of its widths",
    "peer": "training and decoding in turn with an installed peer, and the ratios of medians",
    "growth": "time and memory against batch, widths, lengths, vocabulary, beam and corpus; one picture",
    "startup": "seconds from s2s-train to its first step, and from s2s-translate to its first translation",
    "quality": "validation losses of trainings of equal steps in each arithmetic, with several seeds",
    "table": "tables of README.md from the results at hand; measures nothing",
}
ARITHMETIC = "float32-torch,float32,bfloat16"
SCRATCH = Path("outputs", ".speed")
HERE = Path(__file__).parent


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Help that tells the default of each option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return super()._get_help_string(action) if action.default else action.help


class Parser(argparse.ArgumentParser):
    """A parser that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raises what was wrong.

        Raises:
            RequestError: always.
        """
        raise RequestError(f"{message}; --help tells more")


def parser() -> Parser:
    """The parser of the whole command line."""
    whole = Parser(prog="python -m experiments.speed", description=ABOUT, allow_abbrev=False)
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, about in COMMANDS.items():
        one = commands.add_parser(
            name, help=about, description=about, allow_abbrev=False,
            formatter_class=Help,
        )  # fmt: skip
        one.add_argument("--results", type=Path, default=FOLDER, metavar="DIR", help="folder of the JSON files")
        if name == "table":
            one.add_argument(
                "--readme", type=Path, default=HERE / "README.md", metavar="FILE", help="file with markers"
            )
            continue
        _add_common(one, several=name not in ("growth", "startup", "data"))
        for part in ("train", "decode", "data", "shares") if name == "bench" else (name,):
            _OPTIONS[part](one)
    return whole


def _add_common(one: argparse.ArgumentParser, *, several: bool) -> None:
    one.add_argument(
        "--data", type=Path, metavar="DIR", help="holds multi30k/lc_norm_tok/; without it, synthetic pairs"
    )
    one.add_argument("--corpus-seed", type=int, default=1, metavar="N", help="of the synthetic corpus")
    one.add_argument("--threads", type=number, metavar="N", help="of every process; all cores without it")
    help_ = "of this machine: results go to NAME.LABEL.json, and the page shows them beside the others"
    one.add_argument("--label", default="", metavar="LABEL", help=help_)
    one.add_argument("--scratch", type=Path, default=SCRATCH, metavar="DIR", help="folder of runs and caches")
    if several:
        help_ = "names of workloads.yaml or conf/model, `named` (all of conf/model) or `all`, with commas"
        one.add_argument("--workloads", type=names, default="M1,M2", metavar="NAMES", help=help_)


def _add_train(one: argparse.ArgumentParser) -> None:
    help_ = "values of trainer.allocator with commas: the default one first, then the others"
    one.add_argument("--allocators", type=names, metavar="NAMES", help=help_)
    one.add_argument("--rounds", type=number, default=1, metavar="N", help="of training, everything once in each")
    _add_windows(one)
    _add_settings(one)


def _add_decode(one: argparse.ArgumentParser) -> None:
    _add_passes(one)
    _add_model(one, 150)
    one.add_argument("--fresh", action="store_true", help="train the models that decode anew")
    help_ = "outputs as long as their references, which needs no training; a table of its own"
    one.add_argument("--reference-lengths", action="store_true", help=help_)


def _add_data(one: argparse.ArgumentParser) -> None:
    help_ = "numbers of made-up pairs with commas, at most 10000000 each"
    one.add_argument("--pairs", type=numbers, default="1000000", metavar="N", help=help_)
    one.add_argument("--data-repeats", type=number, default=3, metavar="N", help="epochs that are read; medians count")


def _add_shares(one: argparse.ArgumentParser) -> None:
    one.add_argument("--shares-seconds", type=float, default=8.0, metavar="S", help="of each measurement of shares")
    one.add_argument("--shares-settings", type=names, default="bfloat16", metavar="NAMES", help="arithmetic of shares")


def _add_peer(one: argparse.ArgumentParser) -> None:
    one.add_argument("--peer-python", type=Path, required=True, metavar="FILE", help="the peer's interpreter")
    help_ = "folder of opennmt_train.py and opennmt_decode.py, which print JSON lines"
    one.add_argument("--peer-drivers", type=Path, required=True, metavar="DIR", help=help_)
    one.add_argument(
        "--peer-home", type=Path, required=True, metavar="DIR", help="the peer's folder, handed on as PEERS"
    )
    one.add_argument("--peer-batch", type=number, default=100, metavar="N", help="sentences its decoding takes at once")
    one.add_argument("--parts", type=names, default="train,decode", metavar="NAMES", help="train, decode, or both")
    one.add_argument("--rounds", type=number, default=3, metavar="N", help="ours and the peer in turn")
    _add_windows(one)
    _add_settings(one)
    _add_passes(one)
    _add_model(one, 1_000)


def _add_growth(one: argparse.ArgumentParser) -> None:
    known = ",".join(DIMENSIONS)
    one.add_argument("--dimensions", type=names, default=known, metavar="NAMES", help=f"some of {known}")
    one.add_argument("--workload", default="M1", metavar="NAME", help="the model, at other widths where they grow")
    one.add_argument("--setting", default="bfloat16", metavar="NAME", help="its arithmetic")
    one.add_argument("--seconds", type=float, default=3.0, metavar="S", help="of each point, three steps at least")
    one.add_argument("--pairs", type=number, default=10_000_000, metavar="N", help="in the largest corpus")
    help_ = "PNG file, made from all points"
    one.add_argument("--plot", type=Path, default=HERE / "growth.png", metavar="FILE", help=help_)


def _add_startup(one: argparse.ArgumentParser) -> None:
    one.add_argument("--repeats", type=number, default=3, metavar="N", help="starts of each command; medians count")


def _add_quality(one: argparse.ArgumentParser) -> None:
    one.add_argument("--seeds", type=number, default=3, metavar="N", help="trainings of each, with seeds from 1 to N")
    one.add_argument("--steps", type=number, default=450, metavar="N", help="optimizer steps of each training")
    one.add_argument("--fresh", action="store_true", help="train anew what an earlier call has trained")
    _add_settings(one)


def _add_passes(one: argparse.ArgumentParser) -> None:
    help_ = "passes over the test set in each process that decodes; medians count"
    one.add_argument("--repeats", type=number, default=3, metavar="N", help=help_)


def _add_windows(one: argparse.ArgumentParser) -> None:
    one.add_argument("--seconds", type=float, default=8.0, metavar="S", help="of each training, after its warm-up")
    one.add_argument("--warm-up", type=float, default=4.0, metavar="S", help="seconds of each training left out")


def _add_settings(one: argparse.ArgumentParser) -> None:
    one.add_argument("--settings", type=names, default=ARITHMETIC, metavar="NAMES", help="arithmetic of workloads.yaml")


def _add_model(one: argparse.ArgumentParser, steps: int) -> None:
    help_ = "optimizer steps of the models that decode, trained once"
    one.add_argument("--train-steps", type=number, default=steps, metavar="N", help=help_)
    one.add_argument("--batch-sentences", type=number, default=128, metavar="N", help="sentences decoded at once")
    one.add_argument("--precisions", type=names, metavar="NAMES", help="of s2s-evaluate; all but float64 without it")


_OPTIONS = {
    "train": _add_train, "decode": _add_decode, "data": _add_data, "shares": _add_shares, "peer": _add_peer,
    "growth": _add_growth, "startup": _add_startup, "quality": _add_quality,
}  # fmt: skip


def names(text: str) -> list[str]:
    """Names with commas between them."""
    return [part for part in text.split(",") if part]


def number(text: str) -> int:
    """A whole number above 0.

    Raises:
        ArgumentTypeError: if it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number above 0 is expected")
    return int(text)


def numbers(text: str) -> list[int]:
    """Whole numbers above 0 with commas between them."""
    return [number(part) for part in names(text)]

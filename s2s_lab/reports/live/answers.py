"""What the live page asks for, answered from the folder watched: plain values, texts and pictures, all bounded."""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.records.evaluation import read_evaluation
from s2s_lab.records.search_record import FILE as SEARCH
from s2s_lab.reports.live.files import check_inside, leads_out, read_inside, tail
from s2s_lab.reports.live.row import number, section, text
from s2s_lab.reports.live.watch import Watch, Watched, clean, mark
from s2s_lab.reports.numbers import unit_of, unit_of_curve

MOST_CURVES = 60
MOST_POINTS = 400
MOST_LOG = 128 * 2**10
MOST_TEXT = 2**20
MOST_SENTENCES = 40
MOST_WEIGHTS = 400_000
MOST_SCORES = 2**20
MOST_ATTENTION = 64 * 2**20
MOST_PICTURES = 12
MOST_PICTURE = 4 * 2**20
PNG = b"\x89PNG\r\n\x1a\n"
FACTS = ("parameters", "steps", "epochs", "tokens", "seconds", "peak_memory_mb")


class Answers:
    """The questions that the page may ask.

    Args:
        watch: The folder.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._report: tuple[Any, str] | None = None
        self._rendering = threading.Lock()

    def runs(self, since: str) -> dict[str, Any]:
        """Give the table, or what changed in it.

        Args:
            since: `token-version` of an earlier answer; everything is given to a reader of another server.
        """
        token, _, version = since.partition("-")
        known = int(version) if token == self.watch.token and version.isdecimal() and len(version) < 16 else 0
        found = self.watch.changes(known)
        whole = not known
        return {
            **found,
            "version": f"{self.watch.token}-{found['version']}",
            "whole": whole,
            "folder": clean(self.watch.root.name),
        }

    def curves(self, keys: str, name: str, over: str) -> dict[str, Any]:
        """Give a learning curve of some runs.

        Args:
            keys: Of runs, separated by commas.
            name: Of the curve; the first where no run has it.
            over: step or seconds.

        Returns:
            `names` of all their curves, validation first; the `name` given, its unit as `suffix`; `over`; `runs`:
            key -> x and y, in that unit.
        """
        chosen = keys.split(",")[:MOST_CURVES]
        over = "seconds" if over == "seconds" else "step"
        columns, scores, found = self.watch.curves(chosen, name, over, most=MOST_POINTS)
        names = [column for column in columns if column not in ("epoch", "step", "seconds")]
        monitors = {f"validation/{score}" for score in scores}
        names.sort(key=lambda item: (item not in monitors, item.startswith("train/"), "loss" not in item, item))
        if name not in names and names:
            name = names[0]
            _, _, found = self.watch.curves(chosen, name, over, most=MOST_POINTS)
        name = name if names else ""
        unit = unit_of_curve(name)
        for points in found.values():
            points["y"] = [value * unit.factor for value in points["y"]]
        return {"names": names, "name": name, "suffix": unit.suffix, "over": over, "runs": found}

    def run(self, key: str) -> dict[str, Any]:
        """Give what is known of a run beyond its line: facts, evaluations with their scores, pictures."""
        run = self.watch.run(key)
        facts, path = run.facts, run.folder.path
        git, machine, versions = (section(facts, name) for name in ("git", "machine", "versions"))
        command = facts.get("command")
        commit = text(git.get("commit"))[:12] + (" with changes" if git.get("dirty") is True else "")
        words = " ".join(map(text, command[:200])) if isinstance(command, list) else text(command, 2000)
        named = {
            "folder": clean(str(path.relative_to(self.watch.root.parent))),
            "command": words,
            "data": text(section(facts, "data").get("name")),
            "commit": commit if text(git.get("commit")) else "",
            "machine": ", ".join(filter(None, (text(machine.get("cpu")), text(machine.get("system"))))),
            "versions": ", ".join(f"{name} {text(versions.get(name))}" for name in ("torch", "lightning")
                                  if text(versions.get(name))),
            "job": text(facts.get("job_hash")),
        }  # fmt: skip
        under = section(facts, "under_trained")
        return {
            "key": key,
            "facts": named,
            "numbers": {name: number(facts.get(name)) for name in FACTS},
            "under_trained": text(under.get("reason")) if under.get("flag") is True else "",
            "evaluations": self._evaluations(run),
            "pictures": [clean(picture.name) for picture in self._pictures(run)],
            "files": [name for name in ("log", "error", "config") if self._file(run, name).is_file()],
        }

    def log(self, key: str, start: str) -> dict[str, Any]:
        """Give the end of a run's log, or what was written since.

        Args:
            key: Of the run.
            start: `next` of an earlier answer, or nothing.

        Returns:
            `text`, the place `begin` in bytes where it begins, and `next`, where it ends.
        """
        place = int(start) if start.isdecimal() and len(start) < 16 else None
        run = self.watch.run(key)
        found, begin, end = tail(run.folder.log_file, self.watch.root, most=MOST_LOG, start=place)
        return {"key": key, "text": found, "begin": begin, "next": end}

    def text(self, key: str, name: str) -> str:
        """Give the log, error or configuration of a run as text; of a long one its end, of a configuration all.

        Raises:
            RequestError: If there is no such file.
        """
        path = self._file(self.watch.run(key), name)
        if name == "config":
            return read_inside(path, self.watch.root, most=MOST_TEXT).decode("utf-8", errors="replace")
        return tail(path, self.watch.root, most=MOST_TEXT)[0]

    def attention(self, key: str, evaluation: str) -> dict[str, Any]:
        """Give the attention weights that an evaluation kept.

        Args:
            key: Of the run.
            evaluation: `id` from `run`.

        Returns:
            `label` and `sentences`, each with index, source and target tokens, and weights (target_len, source_len).
        """
        run = self.watch.run(key)
        folder = self._evaluation_folder(run, evaluation)
        check_inside(folder / "scores.json", self.watch.root, most=MOST_SCORES)
        check_inside(folder / "attention.npz", self.watch.root, most=MOST_ATTENTION)
        found = read_evaluation(folder)
        sentences, weights = [], 0
        for index, alignment in list(found.attention().items())[:MOST_SENTENCES]:
            weights += alignment.weights.size
            if weights > MOST_WEIGHTS:
                break
            sentences.append(
                {
                    "index": index,
                    "source": [token[:100] for token in alignment.source_tokens],
                    "target": [token[:100] for token in alignment.target_tokens],
                    "weights": np.round(alignment.weights.astype(np.float64), 3).tolist(),
                }
            )
        return {"label": f"{text(found.facts['split'])}, {text(found.facts['strategy'])}", "sentences": sentences}

    def picture(self, key: str, name: str) -> bytes:
        """Give a picture that a tracker made of a validation.

        Raises:
            RequestError: If there is none of that name, or it is no PNG.
        """
        run = self.watch.run(key)
        path = next((item for item in self._pictures(run) if clean(item.name) == name), None)
        if path is None:
            raise RequestError("no such picture here")
        content = read_inside(path, self.watch.root, most=MOST_PICTURE)
        if not content.startswith(PNG):
            raise RequestError("not a PNG picture")
        return content

    def report(self, key: str) -> str:
        """Render the report of an experiment as it is now; of an unchanged one the page made before.

        Raises:
            RequestError: If its runs cannot be compared.
        """
        from s2s_lab.reports.comparison import compare
        from s2s_lab.reports.decoders import decoder_tables
        from s2s_lab.reports.page import render
        from s2s_lab.reports.page_data import Limits
        from s2s_lab.reports.runs import collect

        with self._rendering:
            name, runs = self.watch.experiment(key)
            runs = [run for run in runs if not leads_out(run.folder.path, self.watch.root)]
            if not runs:
                raise RequestError(f"{name}: no run here can be read")
            state = (key, [(run.key, mark(run.folder.run_file), mark(run.folder.metrics_csv)) for run in runs])
            if self._report is None or self._report[0] != state:
                places = [run.folder.path for run in runs]
                searches = frozenset(
                    folder
                    for folder in {place.parent for place in places}
                    if (folder / SEARCH).resolve().is_relative_to(self.watch.root)
                )
                comparison = compare(collect(places), apart=True)
                tables = decoder_tables(comparison)
                self._report = (state, render(comparison, limits=Limits(searches=searches), tables=tables))
            return self._report[1]

    def _evaluations(self, run: Watched) -> list[dict[str, Any]]:
        found = []
        for folder in run.folder.evaluation_folders()[:200]:
            try:
                check_inside(folder / "scores.json", self.watch.root, most=MOST_SCORES)
                facts = read_evaluation(folder).facts
            except (RequestError, OSError):
                continue
            found.append(
                {
                    "id": _name(run, folder),
                    "split": text(facts["split"]),
                    "strategy": text(facts["strategy"]),
                    "signature": text(facts.get("signature")),
                    "sentences": number(facts["sentences"]),
                    "speed": number(facts.get("sentences_per_second")),
                    "scores": [_score(score) for score in facts["scores"][:20]],
                    "attention": (folder / "attention.npz").is_file(),
                }
            )
        return found

    def _evaluation_folder(self, run: Watched, name: str) -> Path:
        """The folder of that name among those that are there, so that no address leads anywhere else."""
        for folder in run.folder.evaluation_folders():
            if _name(run, folder) == name:
                return folder
        raise RequestError("no such evaluation here")

    def _pictures(self, run: Watched) -> list[Path]:
        """The latest pictures of attention in the validations, as W&B keeps them in the run folder; newest first."""
        found = run.folder.path.glob("wandb/*run-*/files/media/images/attention_*.png")
        dated = [(mark(path), path) for path in found if path.resolve().is_relative_to(self.watch.root)]
        newest = sorted(((seen[2], path.name, path) for seen, path in dated if seen), reverse=True)
        return [path for _, _, path in newest[:MOST_PICTURES]]

    @staticmethod
    def _file(run: Watched, name: str) -> Path:
        files = {
            "log": run.folder.log_file,
            "error": run.folder.error_file,
            "config": run.folder.configuration_file,
        }
        if name not in files:
            raise RequestError("no such file here; expected log, error or config")
        return files[name]


def _name(run: Watched, folder: Path) -> str:
    return clean(os.fspath(folder.relative_to(run.folder.evaluations)))


def _score(score: Mapping[str, Any]) -> dict[str, Any]:
    value, unit = number(score["value"]), unit_of(score["signature"][:200])
    return {
        "name": text(score["name"]),
        "value": None if value is None else value * unit.factor,
        "suffix": unit.suffix,
        "signature": text(score["signature"], 400),
    }

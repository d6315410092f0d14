"""Decodes and scores a split with frozen runs; a grid of strategies is one process and ends in one table."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from s2s_lab.assemble.grid import Done, Failed
    from s2s_lab.records.run_folder import RunFolder

ABOUT = """Scores frozen runs on a split: s2s-evaluate runs=[outputs/demo] split=test decoding=beam.
Each evaluation is recorded in its run's folder; -m decoding=greedy,beam,sampling runs a grid of strategies, and so does
grid=FILE, a YAML file of label: {decoding: beam, decoding.size: 10, ...}. A grid ends in a table of quality and speed,
table=FILE.md, .csv or .json writes it. What is recorded is not done again; again=true measures anew."""
WIDE = 200  # characters of a line in a file or a pipe, which has no width


def evaluate(configurations: Sequence[Any]) -> None:
    """Does all evaluations, prints a line for each and, of several, their table.

    Args:
        configurations: composed, with Hydra's node (DictConfig).

    Raises:
        RequestError: if a run, its data, a grid file or a table's name cannot be used.
        RunError: if evaluations failed; the others are recorded.
    """
    from s2s_lab.assemble.grid import Done, Failed, evaluate_grid
    from s2s_lab.assemble.grid_file import expanded
    from s2s_lab.reports.decoders_file import check_table_file

    jobs = expanded(configurations)
    common = _common(jobs)
    check_table_file(common["table"])
    console, done, failed = _console(soft_wrap=True), list[Done](), list[Failed]()
    names = _names(jobs)
    single = len(jobs) == 1
    for each in evaluate_grid(jobs):
        if isinstance(each, Done):
            done.append(each)
            _print(each, _name(each.run, names), console)
            continue
        failed.append(each)
        if not single:
            _tell(each, names)
    if single and len(failed) == 1 and not done:  # the fault is the command's
        raise failed[0].error
    for each in failed if single else []:
        _tell(each, names)
    if done and (not single or common["table"] or common["wandb"]):
        _conclude(done, common)
    if failed:
        from s2s_lab.faults import RunError

        total = len(done) + len(failed)
        one = " ".join(str(failed[0].error).split())
        raise RunError(f"{len(failed)} of {total} evaluations failed; one of them: {failed[0].label}: {one}")


def _tell(failed: "Failed", names: dict[Path, str]) -> None:
    """Tells of a failure on one line."""
    error = " ".join(str(failed.error).split())
    print(f"s2s-evaluate: {_name(failed.run, names)}, {failed.label}: {error}", file=sys.stderr, flush=True)


def _common(jobs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What is about all evaluations.

    Raises:
        RequestError: if two of them say different things.
    """
    from s2s_lab.faults import RequestError

    keys = ("table", "wandb", "wandb_project", "wandb_entity")
    for key in keys:
        said = list(dict.fromkeys(job[key] for job in jobs))
        if len(said) > 1:
            raise RequestError(f"{key}={said[0]} and {key}={said[1]}: one for all evaluations is expected")
    return {**{key: jobs[0][key] for key in keys}, "outputs": jobs[0]["paths"]["outputs"]}


def _names(jobs: Sequence[dict[str, Any]]) -> dict[Path, str]:
    """What tables call the row of each run; nothing where a record cannot be read, of which the evaluation tells."""
    from s2s_lab.faults import RequestError
    from s2s_lab.reports.runs import collect

    named = {place for job in jobs for place in ([job["runs"]] if isinstance(job["runs"], str) else job["runs"] or ())}
    try:
        rows = collect(sorted(named)).rows if named else ()
    except RequestError:
        return {}
    return {run.folder.path.resolve(): row.label for row in rows for run in row.runs}


def _name(run: "RunFolder", names: dict[Path, str]) -> str:
    record = run.read()
    return f"{names.get(run.path.resolve(), record.get('name'))} seed {record.get('seed')}"


def _print(done: "Done", name: str, console: "Console") -> None:
    from rich.markup import escape

    from s2s_lab.reports.decoders import is_quality
    from s2s_lab.reports.numbers import shown

    facts = done.facts
    scores = [score for score in facts["scores"] if is_quality(score) and score["value"] is not None]
    told = escape("  ".join(f"{score['name']} {shown(score['value'], score['signature'])}" for score in scores))
    label = escape(name)
    called = done.label or done.words
    strategy = escape(f"{called} ({facts['strategy']})" if called else facts["strategy"])
    before = "" if done.anew else "recorded before  "
    console.print(
        f"[bold]{label}[/]  {escape(facts['split'])}  {strategy}  {told}  {before}"
        f"{facts['sentences_per_second']:.0f} sentences/s  [dim]{escape(str(done.folder))}[/]"
    )
    for warning in facts["warnings"]:
        console.print(f"  [yellow]warning:[/] {escape(warning)}")


def _conclude(done: "Sequence[Done]", common: dict[str, Any]) -> None:
    """Prints and writes the table of each split, and hands it to W&B where that is asked for."""
    from s2s_lab.reports.decoders import decoder_table
    from s2s_lab.reports.decoders_file import print_decoders, write_decoders

    tables = []
    for data in dict.fromkeys(map(_data, done)):
        own, split = [each for each in done if _data(each) == data], data[0]
        runs = {each.run.path.resolve(): each.run for each in own}
        labels = {each.folder.resolve(): each.label for each in own}
        tables.append(decoder_table(list(runs.values()), split, only=labels))
        print_decoders(tables[-1], _console())
    if common["table"]:
        write_decoders(tables, common["table"])
        print(f"wrote {common['table']}")
    if common["wandb"]:
        from s2s_lab.assemble.grid_tracker import log_tables

        log_tables(
            [row for table in tables for row in table.plain_rows()],
            folder=Path(common["outputs"]),
            mode=common["wandb"],
            project=common["wandb_project"],
            entity=common["wandb_entity"],
        )


def _data(done: "Done") -> tuple[str, str]:
    return done.facts["split"], done.facts["data_fingerprint"]


def _console(*, soft_wrap: bool = False) -> "Console":
    import os

    from rich.console import Console

    console = Console(soft_wrap=soft_wrap, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDE
    return console


def main() -> None:
    """Entry point of `s2s-evaluate`."""
    from s2s_lab.assemble.command import run_command
    from s2s_lab.sweeps.process import restart_retaining_memory

    restart_retaining_memory()
    run_command("evaluate", "s2s-evaluate", ABOUT, evaluate, at_once=True)


if __name__ == "__main__":
    main()

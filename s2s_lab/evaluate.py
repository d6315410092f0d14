"""Decodes and scores a split with frozen runs; -m decoding=greedy,beam is a grid of strategies."""

from typing import Any

ABOUT = """Scores frozen runs on a split: s2s-evaluate runs=[outputs/demo] split=test decoding=beam.
Each evaluation is recorded in its run's folder; -m decoding=greedy,beam,sampling runs a grid of strategies."""


def evaluate(configuration: Any) -> None:
    """Evaluates the runs of one composed configuration and prints a line for each.

    Args:
        configuration: the composed configuration with Hydra's node (DictConfig).

    Raises:
        RequestError: if a run or its data cannot be used.
    """
    from rich.console import Console
    from rich.markup import escape

    from s2s_lab.assemble.configuration import plain
    from s2s_lab.assemble.evaluation import evaluate_runs

    console = Console(soft_wrap=True, highlight=False)
    for run, folder, facts in evaluate_runs(plain(configuration)):
        record = run.read()
        shown = escape("  ".join(f"{score['name']} {score['value']:.4g}" for score in facts["scores"]))
        label = escape(f"{record.get('name')} seed {record.get('seed')}")
        console.print(
            f"[bold]{label}[/]  {escape(facts['split'])}  {escape(facts['strategy'])}  {shown}  "
            f"{facts['sentences_per_second']:.0f} sentences/s  [dim]{escape(str(folder))}[/]"
        )
        for warning in facts["warnings"]:
            console.print(f"  [yellow]warning:[/] {escape(warning)}")


def main() -> None:
    """Entry point of `s2s-evaluate`."""
    from s2s_lab.assemble.command import run_command
    from s2s_lab.sweeps.process import restart_retaining_memory

    restart_retaining_memory()
    run_command("evaluate", "s2s-evaluate", ABOUT, evaluate)


if __name__ == "__main__":
    main()

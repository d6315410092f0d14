"""The plan of a study in the terminal: rows with what is done and what is left, open rows, claims."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from s2s_lab.sweeps.counted import counted
from s2s_lab.sweeps.study_plan import Plan, PlannedJob

COLUMNS = ("done", "running", "interrupted", "unevaluated", "failed", "to do")
SHOWN_ROWS = 6


def print_plan(plan: Plan, console: Console) -> None:
    """Print all of a plan."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("row", overflow="fold")
    used = [status for status in COLUMNS if any(planned.status == status for planned in plan.jobs)]
    for heading in ("jobs", *used, "left"):
        table.add_column(heading, justify="right")
    for row in plan.study.rows:
        jobs = plan.of_row(row)
        if jobs:
            counts = [sum(planned.status == status for planned in jobs) for status in used]
            cells = [escape(row.name), str(len(jobs)), *(str(count or "·") for count in counts)]
            table.add_row(*cells, cost(plan, jobs))
    console.print(table)
    for item in plan.open_rows:
        could = (
            "its words can be composed now: see whether it still needs that" if item.obstacle is None else item.obstacle
        )
        console.print(f"open: {escape(item.row.name)} needs {escape(item.row.needs or '')} ({escape(could)})")
    for line in plan.evaluations_waiting():
        console.print(escape(line))
    for name, claim in plan.study.claims.items():
        waiting = plan.waits_for(claim)
        if waiting is None:
            continue
        more = f" and {len(waiting) - SHOWN_ROWS} more" if len(waiting) > SHOWN_ROWS else ""
        shown = f"waits for {', '.join(waiting[:SHOWN_ROWS])}{more}" if waiting else "all its rows are done"
        console.print(f"claim {name}: {escape(shown)}")
    console.print(escape(summary(plan)), soft_wrap=True)


def summary(plan: Plan) -> str:
    """Say in one sentence how much there is, how much is done and how long the rest takes."""
    done = sum(planned.status == "done" for planned in plan.jobs)
    rows = len({planned.row.name for planned in plan.jobs})
    left = plan.left()
    running = sum(planned.status == "running" for planned in left)
    shown = f"{done} done, {running} running" if running else f"{done} done"
    parts = [f"{counted(len(plan.jobs), 'job')} in {counted(rows, 'row')}: {shown}, {len(left) - running} to start"]
    if left:
        seconds = plan.expected_wall_seconds(left)
        parts.append("no estimate" if seconds is None else f"about {minutes(seconds)}, {plan.at_once} at a time")
    parts.append(counted(len(plan.open_rows), "open row") if plan.open_rows else "no open row")
    return f"{plan.study.name}: {'; '.join(parts)}"


def cost(plan: Plan, jobs: list[PlannedJob]) -> str:
    """Write what is left of jobs as a time, several at once."""
    left = [planned for planned in jobs if planned.status not in ("done", "running")]
    seconds = plan.expected_wall_seconds(left)
    return "" if not left else "?" if seconds is None else minutes(seconds)


def minutes(seconds: float) -> str:
    """Write a time roughly: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    whole = round(seconds / 60)
    return f"{whole} min" if whole < 90 else f"{whole // 60} h {whole % 60:02d} min"

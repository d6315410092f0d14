"""Tables in Markdown from the JSON files of results, and their places in README.md."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.speed.results import read_results
from experiments.speed.scaling import exponents
from s2s_lab.faults import RequestError

Document = Mapping[str, Any]
UNMEASURED = "not measured yet"


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]])


def render(name: str, documents: Mapping[str, Document]) -> str:
    """The tables of a section, of every machine by its label, with where and when they were measured.

    Gives UNMEASURED where there is no result.
    """
    parts = []
    for label, document in documents.items():
        parts += [f"**{label}**", ""] if label else []
        parts += [SECTIONS[name](document), "", origin(document), ""]
    return "\n".join(parts[:-1]) if parts else UNMEASURED


def origin(document: Document) -> str:
    """Machine and what it can do, versions, corpus, date and command of a result, in a sentence."""
    machine, versions, git = document["machine"], document["versions"], document.get("git") or {}
    device = "" if machine["devices"] == ["cpu"] else f", {', '.join(machine['devices'])}"
    commit = f", commit {git['commit'][:10]}{' with changes' if git['dirty'] else ''}" if git.get("commit") else ""
    corpus = f"{document['corpus']}; " if document.get("corpus") else ""
    threads = f"{document['threads']} threads on " if document.get("threads") else ""
    products = ", ".join(f"{name} {whole(found)}" for name, found in document.get("peak_gflops", {}).items())
    rates = f"; products of squares at most {products} GFLOP/s" if products else ""
    return (
        f"{corpus}{threads}{machine['cores']} cores of {machine['cpu']}{device}{rates}; torch "
        f"{versions.get('torch')}, Python {versions['python']}{commit}; {document['date']}; `{document['command']}`"
    )


def update(readme: Path, folder: Path) -> None:
    """Puts every section's tables between its markers `<!-- NAME -->` and `<!-- /NAME -->`.

    Raises:
        RequestError: if the file is missing or lacks a marker.
    """
    try:
        text = readme.read_text(encoding="utf-8")
    except OSError as error:
        raise RequestError(f"--readme {readme}: cannot be read ({error.strerror or error})") from error
    for name in SECTIONS:
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise RequestError(f"--readme {readme}: the markers <!-- {name} --> and <!-- /{name} --> are missing")
        content = render(name, read_results(folder, name))
        text = pattern.sub(lambda found, content=content: f"{found[1]}\n{content}\n\n{found[2]}", text)
    readme.write_text(text, encoding="utf-8")


def train_table(document: Document) -> str:
    """Speed and memory of training, a table for each allocator."""
    parts = []
    for allocator in dict.fromkeys(row["allocator"] for row in document["rows"]):
        rows = [
            (
                row["workload"], row["setting"], whole(row["tokens_per_s"]), whole(row["tokens_per_s_median"]),
                f"{row['fill']:.3f}", whole(row["peak_memory_mb"]),
            )
            for row in document["rows"] if row["allocator"] == allocator
        ]  # fmt: skip
        header = ("model", "arithmetic", "tokens/s", "median window", "fill", "peak memory MB")
        parts.append(f"`trainer.allocator={allocator}`:\n\n{grid(header, rows)}")
    return "\n\n".join(parts)


def decode_table(document: Document) -> str:
    """Speed and quality of decoding."""
    header = ("model", "decoding", "arithmetic", "sentences/s", "tokens/s", "mean length", "BLEU")
    rows = [
        (
            row["workload"], row["strategy"], row["precision"], whole(row["sentences_per_s"]),
            whole(row["tokens_per_s"]), f"{row['mean_length']:.1f}", score(row.get("bleu")),
        )
        for row in document["rows"]
    ]  # fmt: skip
    return f"Models trained for {document['train_steps']:,} steps.\n\n{grid(header, rows)}"


def decode_lengths_table(document: Document) -> str:
    """Speed of decoding where every output is as long as its reference: a line for each model and strategy."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in document["rows"]:
        speeds = found.setdefault((row["workload"], row["strategy"]), {})
        speeds[row["precision"]] = whole(row["sentences_per_s"])
    columns = list(dict.fromkeys(name for speeds in found.values() for name in speeds))
    header = ("model", "decoding", *(f"{name}: sentences/s" for name in columns))
    return grid(header, [(*key, *(speeds.get(name, "-") for name in columns)) for key, speeds in found.items()])


def data_table(document: Document) -> str:
    """Speed and memory of data loading."""
    header = ("corpus", "pairs", "pairs/s", "padded tokens/s", "fill", "first batch s", "peak memory MB", "its own MB")
    return grid(
        header,
        [
            (
                row["corpus"], whole(row["pairs"]), whole(row["pairs_per_s"]), whole(row["padded_tokens_per_s"]),
                f"{row['fill']:.3f}", f"{row['first_batch_s']:.3f}", whole(row["peak_memory_mb"]),
                whole(row["peak_own_memory_mb"]),
            )
            for row in document["rows"]
        ],
    )  # fmt: skip


def shares_table(document: Document) -> str:
    """Shares of time of a training step, and the ratios to its bounds."""
    parts = list(document["rows"][0]["shares"])
    header = ("model", "arithmetic", "step ms", *(f"{part} %" for part in parts))
    shares = [
        (
            row["workload"],
            row["setting"],
            f"{row['step_ms']:.0f}",
            *(f"{100 * row['shares'][part]:.1f}" for part in parts),
        )
        for row in document["rows"]
    ]
    bounds = [
        (
            row["workload"], row["setting"], whole(row["tokens_per_s"]), whole(row["fused_tokens_per_s"]),
            f"{row['of_fused']:.2f}", whole(row["peak_gflops"]), f"{row['mflop_per_token']:.1f}",
            whole(row["products_tokens_per_s"]), f"{row['of_products']:.2f}",
        )
        for row in document["rows"] if "of_fused" in row
    ]  # fmt: skip
    second = (
        "model", "arithmetic", "tokens/s", "fused, no attention: tokens/s", "of it", "peak GFLOP/s", "MFLOP a token",
        "products alone: tokens/s", "of it",
    )  # fmt: skip
    return f"{grid(header, shares)}\n\n{grid(second, bounds)}"


def peer_train_table(document: Document) -> str:
    """Training beside the peer, a table for each allocator of the peer."""
    header = ("model", "ours", "ours tokens/s", "peer tokens/s", "ratio", "ours peak MB", "peer peak MB")
    return _beside_peer(
        document,
        header,
        lambda ours, peer, ratio: (
            ours["workload"], ours["setting"], whole(ours["tokens_per_s"]), whole(peer["tokens_per_s"]),
            f"**{ratio['tokens_per_s']:.2f}**", whole(ours["peak_memory_mb"]), whole(peer["peak_memory_mb"]),
        ),
    )  # fmt: skip


def peer_decode_table(document: Document) -> str:
    """Decoding beside the peer, a table for each allocator of the peer."""
    header = (
        "model", "decoding", "ours", "ours tokens/s", "peer tokens/s", "ratio", "ours sentences/s", "peer sentences/s",
        "ratio", "mean lengths", "our BLEU",
    )  # fmt: skip
    tables = _beside_peer(
        document,
        header,
        lambda ours, peer, ratio: (
            ours["workload"], ours["kind"], ours["setting"], whole(ours["tokens_per_s"]), whole(peer["tokens_per_s"]),
            f"**{ratio['tokens_per_s']:.2f}**", whole(ours["sentences_per_s"]), whole(peer["sentences_per_s"]),
            f"{ratio['sentences_per_s']:.2f}", f"{ours['mean_length']:.1f}, {peer['mean_length']:.1f}",
            score(ours.get("bleu")),
        ),
    )  # fmt: skip
    return f"Our models trained for {document['train_steps']:,} steps.\n\n{tables}"


def _beside_peer(
    document: Document, header: Sequence[str], cells: Callable[[Document, Document, Document], Sequence[str]]
) -> str:
    """A table for each allocator of the peer: our rows, each beside the peer's of the same model and kind."""
    peers = [row for row in document["rows"] if row["who"] == "peer"]
    parts = []
    for allocator in dict.fromkeys(row["allocator"] for row in peers):
        of_allocator = {(row["workload"], row["kind"]): row for row in peers if row["allocator"] == allocator}
        rows = [
            cells(row, of_allocator[row["workload"], row["kind"]], row["ratios"][allocator])
            for row in document["rows"] if row["who"] == "ours"
        ]  # fmt: skip
        title = (
            "The peer on its default allocator" if allocator == "default" else "The peer with our allocator settings"
        )
        parts.append(f"{title}:\n\n{grid(header, rows)}")
    return "\n\n".join(parts)


def growth_table(document: Document) -> str:
    """Time and memory of every point, a table for each dimension, with the fitted exponents of time."""
    fitted = exponents(document["rows"])
    parts = []
    for dimension in dict.fromkeys(row["dimension"] for row in document["rows"]):
        rows = [row for row in document["rows"] if row["dimension"] == dimension]
        kinds = list(dict.fromkeys(row["kind"] for row in rows))
        found = {(row["kind"], row["value"]): row for row in rows}
        header = [dimension.replace("_", " "), *(text for kind in kinds for text in (f"{kind} ms", f"{kind} peak MB"))]
        lines = []
        for value in dict.fromkeys(row["value"] for row in rows):
            of_value = [found[kind, value] for kind in kinds]
            numbers = [(f"{1000 * row['seconds']:,.1f}", whole(row["peak_memory_mb"])) for row in of_value]
            lines.append([f"{value:,}", *(text for pair in numbers for text in pair)])
        said = ", ".join(f"{kind} {fitted[dimension, kind]:.2f}" for kind in kinds if (dimension, kind) in fitted)
        parts.append(f"{grid(header, lines)}\n\nFitted exponents: {said or 'none'}.")
    return "\n\n".join([f"![Time against each size]({document['plot']})", *parts])


def startup_table(document: Document) -> str:
    """Seconds from the commands to their first results."""
    header = ("command", "cache of encoded data", "seconds", "goal")
    rows = [
        (row["command"], row["cache"], f"{row['seconds']:.1f}", f"{row['goal_s']:.0f}" if row["goal_s"] else "-")
        for row in document["rows"]
    ]
    return grid(header, rows)


def quality_table(document: Document) -> str:
    """Validation losses by seed and their differences from the reference's of the same seed."""
    seeds = list(document["rows"][0]["losses"])
    header = ("model", "arithmetic", *(f"seed {seed}" for seed in seeds), "mean", "tokens seen")
    rows = [
        (
            row["workload"],
            row["setting"],
            *(compared(row["losses"][seed], row["differences"][seed]) for seed in seeds),
            compared(row["loss"], row["difference"]),
            " / ".join(dict.fromkeys(whole(row["tokens"][seed]) for seed in seeds)),
        )
        for row in document["rows"]
    ]
    about = f"Validation losses in nats a token after {document['steps']:,} steps, and how far they are from those of"
    return f"{about} {document['rows'][0]['setting']} with the same seed.\n\n{grid(header, rows)}"


def compared(loss: float, difference: float) -> str:
    """A loss, and its relative difference from another one in percent."""
    return f"{loss:.4f} ({100 * difference:+.2f} %)"


def whole(value: float) -> str:
    """A number without decimals."""
    return f"{value:,.0f}"


def score(value: float | None) -> str:
    """A score, or a dash where there is none."""
    return "-" if value is None else f"{value:.2f}"


SECTIONS: dict[str, Callable[[Document], str]] = {
    "train": train_table,
    "decode": decode_table,
    "decode_lengths": decode_lengths_table,
    "data": data_table,
    "shares": shares_table,
    "peer_train": peer_train_table,
    "peer_decode": peer_decode_table,
    "growth": growth_table,
    "startup": startup_table,
    "quality": quality_table,
}

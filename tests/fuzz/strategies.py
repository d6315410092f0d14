"""What a careless or a hostile hand may write: values, keys, words of the command line, bytes."""

import functools
from typing import Any

from hypothesis import strategies as st
from omegaconf import OmegaConf

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.options import groups

TEXT = st.text(max_size=12)
HOSTILE = st.sampled_from(
    [
        "", " ", "null", "???", "nan", "inf", "-1", "0", "1e400", "9" * 30, "true", "[]", "{}", "[1,2]", "{a:1}",
        "${seed}", "${oc.env:HOME}", "${oc.decode:'1'}", "${oc.create:{a:1}}", "${nothing}", "${name}", "../../x",
        "/etc/passwd", "~", "~nobody/x", "a,b", "glob(*)", "choice(1,2)", "range(1,3)", "interval(0,1)", "sort(3,1)",
        "shuffle([1])", "int('x')", "str([1])", "json_str({})", "'", '"', "\\", "=", "@", ":", "a@b=c", "a\tb",
        "\u2028", "é", "\ud7ff", "\x00", "\x1b[31m", "extend_list(1)", "x" * 3000, "(", ")", "[" * 70,
        "{_target_: os.getcwd}", "os.system", "builtins.eval",
    ]
)  # fmt: skip
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 1, 2, 10**9, 10**18, 2**63, 10**30, 0.5, 1.0])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT | HOSTILE
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)


@functools.cache
def tree(name: str) -> dict[str, Any]:
    """A composed configuration as plain containers."""
    words = {"train": ["data=reverse", "debug=tiny", "logger=csv"], "evaluate": [], "translate": ["run=x"]}[name]
    return plain(compose_jobs(name, words, multirun=False, folder=None)[0])


def keys(node: Any, place: str = "") -> list[str]:
    """Every dotted key of nested containers."""
    found = []
    if isinstance(node, dict):
        for key, value in node.items():
            where = f"{place}.{key}" if place else str(key)
            found += [where, *keys(value, where)]
    return found


@st.composite
def misspelt(draw: st.DrawFn, known: str) -> str:
    """A known word with one character dropped, doubled or replaced."""
    if not known:
        return draw(TEXT)
    place = draw(st.integers(0, len(known) - 1))
    return known[:place] + draw(st.sampled_from(["", known[place] * 2, "x", ".", "_", "é"])) + known[place + 1 :]


@st.composite
def words(draw: st.DrawFn, name: str) -> str:
    """A word of the command line: a group or a key, real or misspelt, with a value of any kind."""
    options = groups()
    if draw(st.booleans()):
        group = draw(st.sampled_from(sorted(options)))
        value = draw(st.sampled_from(options[group]) | HOSTILE | st.sampled_from(sorted(options)))
        key = group
    else:
        key = draw(st.sampled_from([*keys(tree(name)), "hydra.run.dir", "hydra.job.name", "hydra.searchpath"]))
        value = draw(st.sampled_from([str(item) for item in (0, 1, 2, -1, 0.5, True, None, 10**9)]) | HOSTILE | TEXT)
    key = draw(st.just(key) | misspelt(key)) if draw(st.integers(0, 3)) == 0 else key
    sign = draw(st.sampled_from(["", "", "", "", "+", "++", "~"]))
    return draw(st.just(f"{sign}{key}={value}") | TEXT) if draw(st.integers(0, 9)) == 0 else f"{sign}{key}={value}"


@st.composite
def altered(draw: st.DrawFn, node: Any) -> Any:
    """Nested containers with one place changed: another value, a key more, less or misspelt."""
    if isinstance(node, dict) and node and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(node)))
        kind = draw(st.integers(0, 9))
        if kind == 0:
            return {name: value for name, value in node.items() if name != key}
        if kind == 1:
            return {**node, draw(misspelt(key)): draw(VALUES)}
        return {**node, key: draw(altered(node[key]))}
    if isinstance(node, list) and node and draw(st.booleans()):
        place = draw(st.integers(0, len(node) - 1))
        return [*node[:place], draw(altered(node[place])), *node[place + 1 :]]
    return draw(VALUES)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes with some flipped, cut off, doubled or put in."""
    kind = draw(st.integers(0, 3))
    place = draw(st.integers(0, max(len(content) - 1, 0)))
    if kind == 0 and content:
        return content[:place] + bytes([content[place] ^ (1 << draw(st.integers(0, 7)))]) + content[place + 1 :]
    if kind == 1:
        return content[:place]
    if kind == 2:
        return content[:place] + draw(st.binary(max_size=16)) + content[place + draw(st.integers(0, 16)) :]
    return draw(st.binary(max_size=200))


def resolved(configuration: dict[str, Any]) -> Any:
    """As a DictConfig, as Hydra gives it; raises what OmegaConf raises of values that it cannot hold."""
    return OmegaConf.create(configuration)

"""Whatever is asked for is either composed and built, or refused with a RequestError of one line; nothing else ends."""

from collections import Counter
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omegaconf.errors import OmegaConfBaseException

from s2s_lab.assemble.command import one_line
from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.job import check_parts
from s2s_lab.assemble.schema import SECTIONS, check
from s2s_lab.faults import RequestError
from tests.fuzz.conftest import budget
from tests.fuzz.strategies import VALUES, altered, misspelt, resolved, tree, words

NAMES = st.sampled_from(["train", "evaluate", "translate"])
TRIED: Counter[str] = Counter()


def refused(error: RequestError) -> None:
    """The message is one line, and not endless."""
    assert 0 < len(one_line(error)) < 4000, error
    TRIED["refused"] += 1


@pytest.fixture(autouse=True, scope="module")
def _told() -> Any:
    yield
    print(f"\ntried: {dict(TRIED)}")


@budget(30)
@given(
    NAMES.flatmap(lambda name: st.tuples(st.just(name), st.lists(words(name), min_size=1, max_size=3), st.booleans()))
)
def test_words_of_the_command_line(request: tuple[str, list[str], bool]) -> None:
    name, given_words, multirun = request
    TRIED["words"] += 1
    first = [] if name == "evaluate" else ["run=x"] if name == "translate" else ["data=reverse", "debug=tiny"]
    try:
        jobs = compose_jobs(name, [*first, *given_words], multirun=multirun, folder=None)
        if name == "train":
            for job in jobs[:2]:
                check_parts(job)
    except RequestError as error:
        refused(error)


@budget(400)
@given(NAMES.flatmap(lambda name: st.tuples(st.just(name), altered(tree(name)))))
def test_composed_configurations(case: tuple[str, Any]) -> None:
    name, configuration = case
    TRIED["composed"] += 1
    try:
        check(configuration if isinstance(configuration, dict) else {}, SECTIONS[name])
    except RequestError as error:
        refused(error)


@budget(60)
@given(altered(tree("train")).filter(lambda value: isinstance(value, dict)))
def test_parts_are_built_or_refused(configuration: Any) -> None:
    TRIED["parts"] += 1
    try:
        job = resolved(configuration)
    except (OmegaConfBaseException, RecursionError, ValueError):
        return  # Hydra cannot hold it either
    try:
        check(plain(job), SECTIONS["train"])
        check_parts(job)
    except RequestError as error:
        refused(error)


OPTIONS = st.one_of(
    st.dictionaries(st.sampled_from(sorted(tree("train"))) | misspelt("encoder"), VALUES, max_size=3),
    st.builds(
        lambda key, value: {"hydra": {key: value}}, st.sampled_from(["callbacks", "job", "launcher", "x"]), VALUES
    ),
    st.builds(lambda value: {"defaults": value}, VALUES),
    VALUES,
)


@budget(15)
@given(
    OPTIONS.map(lambda value: yaml.safe_dump(value, allow_unicode=True)) | st.text(max_size=60) | st.binary(max_size=60)
)
def test_files_of_options(tmp_path_factory: pytest.TempPathFactory, content: str | bytes) -> None:
    TRIED["files"] += 1
    folder = tmp_path_factory.mktemp("options")
    (folder / "experiment").mkdir()
    text = content if isinstance(content, bytes) else f"# @package _global_\n{content}".encode("utf-8", "surrogatepass")
    (folder / "experiment" / "mine.yaml").write_bytes(text)
    try:
        (job,) = compose_jobs("train", ["data=reverse", "experiment=mine"], multirun=False, folder=str(folder))
        check_parts(job)
    except RequestError as error:
        refused(error)

"""Demands of single sentences and texts of constraints, from files to outputs, in evaluation and translation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.grid import evaluate_runs
from s2s_lab.assemble.translation import translate_lines
from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder
from tests.assemble.test_experiment import run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run(tmp_path_factory.mktemp("runs"), "tokenizer=word", "data.vocabulary.shared=false")


def settings(name: str, *words: str) -> dict[str, Any]:
    return plain(compose_jobs(name, ["accelerator=cpu", "num_threads=1", *words], multirun=False, folder=None)[0])


def evaluated(made: RunFolder, *words: str) -> tuple[Path, dict[str, Any]]:
    ((_, folder, facts),) = evaluate_runs(settings("evaluate", f"runs=[{made.path}]", *words))
    return folder, facts


def translated(made: RunFolder, lines: list[str], *words: str) -> list[str]:
    wanted = settings("translate", f"run={made.path}", "batch_sentences=2", *words)
    return [text for (text,), _ in translate_lines(lines, wanted)]


def segments(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "segments.jsonl").read_text().splitlines()]


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def holds(text: str, phrase: str) -> bool:
    return f" {phrase} " in f" {text} "


def test_forced_decoding_scores_the_references_as_teacher_forcing_does(finished: RunFolder) -> None:
    folder, facts = evaluated(finished, "decoding=forced", "batch_sentences=5")
    assert (folder / "hypotheses.txt").read_text() == (folder / "references.txt").read_text()
    for each in segments(folder):
        assert each["log_prob"] == pytest.approx(each["statistics"]["perplexity"][0], abs=1e-4)
        assert "optimal" not in each
    assert facts["signature"] == "forced|" and facts["given_outputs"]
    with pytest.raises(RequestError, match=r"^decoding=forced takes its lengths from the targets"):
        evaluated(finished, "decoding=forced", "oracle_length=true")


def test_a_translation_scores_given_outputs_as_an_evaluation_scores_references(
    finished: RunFolder, tmp_path: Path
) -> None:
    folder, _ = evaluated(finished, "decoding=forced")
    sources, references = ((folder / f"{name}.txt").read_text().splitlines() for name in ("sources", "references"))
    file = written(tmp_path / "targets.txt", *references)
    texts = translated(finished, sources, "decoding=forced", f"targets_file={file}", "scores=true")
    for text, reference, each in zip(texts, references, segments(folder), strict=True):
        score, output = text.split("\t")
        assert output == reference and float(score) == pytest.approx(each["log_prob"], abs=2e-4)
    written(file, "a zz", "")  # unknown words are scored as what the model has for them
    assert translated(finished, ["a", "b"], "decoding=forced", f"targets_file={file}") == ["a <unk>", ""]
    with pytest.raises(
        RequestError, match=r"^decoding=forced needs a target for each sentence, expected targets_file=F"
    ):
        translated(finished, ["a b"], "decoding=forced")
    with pytest.raises(RequestError, match=r"^decoding=beam cannot meet targets, expected decoding=forced$"):
        translated(finished, ["a", "b"], f"targets_file={file}")


def test_more_outputs_than_a_strategy_keeps_name_the_key_that_gives_more(finished: RunFolder) -> None:
    for decoding, words, kept, hint in (
        ("greedy", [], 1, ", and no more"),
        ("beam", ["decoding.num_hypotheses=2"], 2, "; set decoding.num_hypotheses"),
        ("sampling", [], 1, "; set decoding.num_samples"),
    ):
        with pytest.raises(RequestError, match=rf"^nbest=3: decoding={decoding} keeps {kept}{hint}$"):
            translated(finished, ["a"], f"decoding={decoding}", "nbest=3", *words)


def test_an_evaluation_records_whether_an_output_was_proved_the_best(finished: RunFolder) -> None:
    limits = ("decoding.max_length=3", "decoding.max_length_ratio=null")
    beam, _ = evaluated(finished, "decoding=beam", *limits)
    assert all("optimal" not in each for each in segments(beam))
    proved = [segments(evaluated(finished, "decoding=exact", *limits, f"decoding.budget={n}")[0]) for n in (1, 1000)]
    assert not all(each["optimal"] for each in proved[0]) and all(each["optimal"] for each in proved[1])
    for exactly, other in zip(proved[1], segments(beam), strict=True):
        assert exactly["log_prob"] >= other["log_prob"] - 1e-4


def test_required_phrases_are_in_the_outputs_of_an_evaluation_and_it_is_recorded_apart(
    finished: RunFolder, tmp_path: Path
) -> None:
    free, facts = evaluated(finished, "decoding=constrained_beam")
    assert facts["demands"] == {}
    count = len(segments(free))
    phrases = [["a b", "c"] if row % 3 == 0 else ["d d"] if row % 3 == 1 else [] for row in range(count)]
    file = written(tmp_path / "required.txt", *("\t".join(each) for each in phrases))
    folder, facts = evaluated(finished, "decoding=constrained_beam", f"required_file={file}")
    assert folder.parent == free.parent and folder != free and list(facts["demands"]) == ["required_file"]
    outputs = (folder / "hypotheses.txt").read_text().splitlines()
    assert all(holds(text, phrase) for text, each in zip(outputs, phrases, strict=True) for phrase in each)
    unasked = (free / "hypotheses.txt").read_text().splitlines()
    assert [outputs[row] for row in range(2, count, 3)] == [unasked[row] for row in range(2, count, 3)]
    assert not all(holds(text, phrase) for text, each in zip(unasked, phrases, strict=True) for phrase in each)
    written(file, *("e" for _ in phrases))
    assert evaluated(finished, "decoding=constrained_beam", f"required_file={file}")[0] not in (folder, free)


def test_a_translation_reads_its_files_along_with_its_lines(finished: RunFolder, tmp_path: Path) -> None:
    lines = ["a b c", "d", "", "e f g h", "a"] * 14  # more than are read at once
    words = [("a", "b c", "d", "", "e")[row % 5] for row in range(len(lines))]
    required, forbidden = written(tmp_path / "r", *words), written(tmp_path / "f", *(["f", "g\th", "", "", "i"] * 14))
    texts = translated(
        finished, lines, "decoding=constrained_beam", f"required_file={required}", "constraint=[forbidden]",
        'constraint.forbidden.phrases=["a a","j"]', f"forbidden_file={forbidden}",
    )  # fmt: skip
    for row, (text, phrase) in enumerate(zip(texts, words, strict=True)):
        own = (["f"], ["g", "h"], [], [], ["i"])[row % 5]
        assert row % 5 == 2 or (not phrase or holds(text, phrase))
        assert not any(holds(text, each) for each in ["a a", "j", *own])


def test_outputs_are_kept_to_a_list_or_an_automaton(finished: RunFolder, tmp_path: Path) -> None:
    allowed = ["a b", "a b c", "j i h g"]
    listed = f"constraint.automaton.file={written(tmp_path / 'list.txt', *allowed)}"
    folder, facts = evaluated(finished, "constraint=[automaton]", listed)
    assert set((folder / "hypotheses.txt").read_text().splitlines()) <= set(allowed)
    assert "automaton:outputs:list.txt" in facts["signature"] and list(facts["demands"]) == [
        "constraint.automaton.file"
    ]
    written(tmp_path / "list.txt", "c")
    other, _ = evaluated(finished, "constraint=[automaton]", listed)
    assert other != folder and set((other / "hypotheses.txt").read_text().splitlines()) == {"c"}
    arcs = written(tmp_path / "arcs.txt", "even\todd\ta", "odd\teven\tb", "even\teven\tc", "odd")
    texts = translated(
        finished, ["a b", "c"], "constraint=[automaton]", f"constraint.automaton.file={arcs}",
        "constraint.automaton.kind=arcs",
    )  # fmt: skip
    for text in texts:
        assert set(text.split()) <= set("abc") and text.split().count("a") == text.split().count("b") + 1


def test_files_that_do_not_fit_are_one_clear_line(finished: RunFolder, tmp_path: Path) -> None:
    beam = ("decoding=constrained_beam",)
    file = tmp_path / "phrases.txt"
    for lines, words, said in (
        (["a"], beam, rf"{file}: 1 lines, expected one for each sentence \(required_file\)"),
        (["a"] * 4, beam, rf"{file}: 4 lines, expected 3, one for each sentence"),
        (["a", "b\tzz", ""], beam, rf"{file}, line 2: 'zz' holds 'zz', expected words that the model's outputs can"),
        (["a", "b\t\tc", ""], beam, rf"{file}, line 2: '' is an empty phrase"),
        (["a"] * 3, ("decoding=beam",), "decoding=beam cannot meet required, expected decoding=constrained_beam"),
        ([" ".join("ab" * 40)] * 3, beam, "its required phrases take at least 80 symbols, expected at most"),
        (["a"] * 3, (*beam, "shortlist=true"), "shortlist=true"),
    ):
        written(file, *lines)
        with pytest.raises(RequestError, match=said) as caught:
            translated(finished, ["a", "b", "c"], f"required_file={file}", *words)
        assert "\n" not in str(caught.value)
    written(file, "a")
    with pytest.raises(RequestError, match=r"1 lines, expected one for each sentence \(required_file\)"):
        evaluated(finished, *beam, f"required_file={file}")
    with pytest.raises(RequestError, match="shortlist=true numbers the target's words anew, expected no targets with"):
        evaluated(finished, "decoding=forced", "shortlist=true")
    with pytest.raises(RequestError, match=r"^required_file=.*missing: cannot be read \(No such file"):
        translated(finished, ["a"], *beam, f"required_file={tmp_path / 'missing'}")
    with pytest.raises(RequestError, match=r"^required_file=.*missing: cannot be read \(No such file"):
        evaluated(finished, *beam, f"required_file={tmp_path / 'missing'}")
    file.write_bytes(b"a\n\xff\n")
    with pytest.raises(RequestError, match=rf"{file}, line 2: not valid UTF-8"):
        translated(finished, ["a", "b"], *beam, f"required_file={file}")
    written(file, "a\tb")
    with pytest.raises(RequestError, match=r"line 1: 2 texts separated by tabs, expected one beginning of an output"):
        translated(finished, ["a"], f"prefixes_file={file}")
    for lines, kind, said in (
        (["a", "zz"], "outputs", rf"{file}, line 2: 'zz' holds 'zz'"),
        (["0 1"], "arcs", rf"{file}, line 1: '0 1', expected `state next-state token`"),
        (["0 1 zz"], "arcs", rf"{file}, line 1: 'zz', expected a token of the model's target vocabulary"),
        (["0 1 a"], "arcs", rf"{file}: it accepts no output"),
        ([], "outputs", rf"{file}: it accepts no output"),
    ):
        written(file, *lines)
        with pytest.raises(RequestError, match=said):
            translated(
                finished, ["a"], "constraint=[automaton]", f"constraint.automaton.file={file}",
                f"constraint.automaton.kind={kind}",
            )  # fmt: skip
    with pytest.raises(RequestError, match=r"^constraint\.automaton\.file is null, expected the file"):
        translated(finished, ["a"], "constraint=[automaton]")

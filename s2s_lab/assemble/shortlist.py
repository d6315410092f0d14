"""The shortlist of a run: its lexicon, made from the run's own training pairs where the model folder has none."""

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from s2s_lab.assemble.preparation import corpus_elsewhere, prepare_data
from s2s_lab.data.lexicon import learn_lexicon
from s2s_lab.faults import RequestError
from s2s_lab.inference.frozen import FrozenModel
from s2s_lab.inference.lexicon_file import LEXICON, load_lexicon, save_lexicon
from s2s_lab.inference.shortlist import Shortlist
from s2s_lab.records.run_folder import RunFolder


def shortlist_of(run: RunFolder, model: FrozenModel, data: str | None) -> Shortlist:
    """The shortlist of a run's model; its lexicon is made first where there is none.

    Args:
        run: a finished run.
        model: its model.
        data: another folder of the corpora than the run's own, or None.

    Raises:
        RequestError: if the lexicon cannot be read, or the corpus cannot be read or is not the one trained on.
    """
    vocabularies = {"source": model.source.vocabulary, "target": model.target.vocabulary}
    if not (run.model / LEXICON).exists():
        print(f"learns a lexicon for shortlist=true: {run.model / LEXICON}", file=sys.stderr)
        configuration = run.configuration()
        corpus = corpus_elsewhere(configuration, data)
        text_sides = {"init": str(run.path)} if configuration.get("init") else {}  # its own are those it was given
        prepared, _ = prepare_data({**configuration, "data": {**configuration["data"], "corpus": corpus}, **text_sides})
        for side, vocabulary in vocabularies.items():
            if getattr(prepared, f"{side}_vocabulary").tokens != vocabulary.tokens:
                raise RequestError(
                    f"shortlist=true: the corpus of {run.path} gives another {side} vocabulary than its model's; the "
                    "training pairs that it was trained on are expected"
                )
        lexicon = learn_lexicon(
            prepared.splits["train"],
            source_size=len(model.source.vocabulary),
            target_size=len(model.target.vocabulary),
        )
        save_lexicon(lexicon, run.model, **vocabularies)
    return Shortlist(load_lexicon(run.model, **vocabularies))


def facts_of(shortlist: Shortlist | None, batch_sentences: int) -> Mapping[str, Any] | None:
    """All that changes an output over a shortlist, for the records: the sentences of a batch share one."""
    if shortlist is None:
        return None
    settings = dataclasses.asdict(shortlist.lexicon.settings)
    return {**settings, "share": shortlist.share, "batch_sentences": batch_sentences}

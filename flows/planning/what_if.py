"""What each filter of a dataset drops, and what a change of its settings would do, before a build.

The files of the last fetch are judged by the code that builds corpora, so the numbers are those of
the build; where the corpus exists, its own are taken. Nothing in the store is written: ledgers go
to a temporary folder.
"""

import re
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from corpora.build.corpus import judge_corpus
from corpora.build.effect import Effect, Judgement, effect, judgement
from corpora.build.metadata_filters import settings as rule_settings
from corpora.corpus.parquet import LEDGER
from corpora.corpus.summary import SUMMARY
from corpora.document import Snapshot
from corpora.spec import CorpusSpec
from flows.errors import OptionError, StageError
from flows.options import SECTIONS, Options, Run, prepare
from flows.planning.plan import Decision, Plan, make_plan
from flows.stages.corpus import frozen_documents, opened
from flows.store.integrity import damage, examine
from flows.store.runs import StageRun, Store
from system.progress import Progress
from system.settings import Settings

Result = TypeVar("Result")
NOW = "now"
SECTION = "corpus"
JOINED = re.compile(r";\s*(?=[\w.]+\s*=)")
"""Between two settings of one change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What the current settings of a corpus drop, and what changes of them would do.

    Attributes:
        fetch: key of the fetch whose files were judged.
        fetched: when it finished, and why it is not current, if so.
        effects: by change, as it was given.
        settings: of the rules that have any, as in the TOML.
    """

    dataset: str
    fetch: str
    fetched: str
    now: Judgement
    effects: Mapping[str, Effect]
    settings: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain."""
        return asdict(self)


def what_if(
    dataset: str, options: Options, changes: Sequence[str], settings: Settings
) -> Generator[Progress, None, WhatIf]:
    """Judge the files of the last fetch by the settings of `options`, and with each change of them.

    Mistakes are found before the work begins.

    Args:
        changes: each one or several settings of the corpus: "text.max_line=200; max_bytes=50000".

    Raises:
        OptionError: if a change names no setting of the corpus.
        SpecError: if it has a wrong value.
        StageError: if the dataset was never fetched, or the fetch is damaged.
    """
    folders, store = settings.dataset_folders, Store(settings.artifacts_root)
    runs = changed_runs(dataset, options, changes, folders)
    if store.runs("fetch", dataset).linked is None:
        raise StageError(
            f"{dataset}: not fetched yet; run `charmill run {dataset} --only fetch` first"
        )
    only_corpus = Options(only="corpus")
    return _compared(runs, [make_plan(run, only_corpus, store) for run in runs.values()], store)


def changed_runs(
    dataset: str, options: Options, changes: Sequence[str], folders: Sequence[Path]
) -> dict[str, Run]:
    """The settings of `options`, as `NOW`, and those with every change, by its text.

    Raises:
        OptionError: if a change names no setting of the corpus.
        SpecError: if it has a wrong value.
    """
    runs = {NOW: prepare(dataset, options, folders)}
    for text in changes:
        overrides = (*options.overrides, *overrides_of(text))
        runs[text] = prepare(dataset, options.model_copy(update={"overrides": overrides}), folders)
    return runs


def _compared(
    runs: Mapping[str, Run], plans: Sequence[Plan], store: Store
) -> Generator[Progress, None, WhatIf]:
    """Judge the files by the settings of every run; the first one has the current settings.

    Args:
        plans: what a run of only the corpus stage would do with each.
    """
    dataset, fetch = plans[0].dataset, plans[0].decisions[0]
    judged = []
    with tempfile.TemporaryDirectory(prefix="charmill-") as scratch:
        snapshot = yield from _opened(store.runs("fetch", dataset).run(fetch.key))
        for number, ((text, run), plan) in enumerate(zip(runs.items(), plans, strict=True)):
            work = _judge(snapshot, run, plan.decisions[1], Path(scratch, str(number)), store)
            judged.append((yield from _part(work, number, len(runs), text)))
        before, *others = judged
        effects = [_effect(before, after) for after in others]
    specs = [run.spec.corpus for run in runs.values()]
    return WhatIf(
        dataset=dataset,
        fetch=fetch.key,
        fetched=fetch.reason.removeprefix("reused unchecked, "),
        now=before.found,
        effects=dict(zip(list(runs)[1:], effects, strict=True)),
        settings={rule: key for spec in specs for rule, key in rule_settings(spec).items()},
    )


def overrides_of(change: str) -> tuple[str, ...]:
    """The overrides, as "corpus.text.max_line=200", that a change consists of.

    Raises:
        OptionError: if it names no setting of the corpus; lists those that there are.
    """
    return tuple(_override(change, part) for part in JOINED.split(change.strip().rstrip(";")))


def _override(change: str, part: str) -> str:
    name, equals, value = (text.strip() for text in part.partition("="))
    key, other = name.removeprefix(f"{SECTION}."), name.partition(".")[0]
    if other in SECTIONS and other != SECTION:
        stage = "fetch" if other == "source" else other
        raise OptionError(
            f"what-if {change}: {name} is a setting of the stage {stage}, not of the corpus; "
            f"settings of the corpus: {', '.join(KEYS)}"
        )
    if not equals or not any(f"{known}.".startswith(f"{key}.") for known in KEYS):
        raise OptionError(f"what-if {change}: expected KEY=VALUE with KEY one of {', '.join(KEYS)}")
    return f"{SECTION}.{key}={value}"


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The names of all settings, those of nested tables with a dot."""
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from _keys(nested, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


KEYS = tuple(_keys(CorpusSpec))


@dataclass(frozen=True, slots=True)
class _Judged:
    """A ledger with what it says.

    Attributes:
        folder: of the ledger.
    """

    spec: CorpusSpec
    folder: Path
    found: Judgement


def _opened(fetched: StageRun) -> Generator[Progress, None, Snapshot]:
    if found := (yield from examine(fetched)):
        raise damage(fetched, found)
    return opened(fetched.folder)


def _judge(
    snapshot: Snapshot, run: Run, decision: Decision, folder: Path, store: Store
) -> Generator[Progress, None, _Judged]:
    """Take the numbers of the corpus with these settings, if it is there; or judge every file."""
    spec, corpora = run.spec.corpus, store.runs("corpus", run.dataset)
    if decision.action == "reuse":
        made = corpora.run(decision.key)
        if not (yield from examine(made, LEDGER, SUMMARY)):
            return _Judged(spec, made.folder, judgement(made.folder))
    folder.mkdir()
    frozen = frozen_documents(spec, corpora)
    problem = yield from judge_corpus(snapshot, spec, folder, frozen=frozen)
    return _Judged(spec, folder, judgement(folder, problem))


def _part(
    work: Generator[Progress, None, Result], number: int, total: int, note: str
) -> Generator[Progress, None, Result]:
    """Do one of several pieces of work of about the same length."""
    while True:
        try:
            update = next(work)
        except StopIteration as end:
            return end.value
        fraction = (number + (update.fraction or 0.0)) / total
        yield Progress.at(fraction, f"{note}: {update.text}")


def _effect(before: _Judged, after: _Judged) -> Effect:
    specs = (before.spec, after.spec)
    return effect(before.found, after.found, (before.folder, after.folder), specs)

"""The evaluate stage: compare the model and its samples with baselines, and write the report."""

import logging
import time
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flows.options import Run, StageName
from flows.stages.devices import device_of
from flows.store.integrity import list_faults, shown
from flows.store.manifest import MANIFEST, Manifest
from flows.store.runs import StageRun, StageRuns
from flows.store.stage import Stage, StageContext
from system.clock import duration, now_stamp
from system.progress import Progress

if TYPE_CHECKING:
    from corpora.corpus.summary import CorpusSummary, FunnelStep
    from corpora.spec import CorpusSpec
    from evaluation.assess import EvaluationInputs, Findings
    from evaluation.report.facts import Training
    from evaluation.results import Comparison, Evaluation, PreviousRun, ReportCurvePoint

logger = logging.getLogger(__name__)
UPSTREAM: tuple[StageName, ...] = ("fetch", "corpus", "train", "sample")


def _parameters(run: Run) -> dict[str, Any]:
    spec = run.spec
    texts = {"title": spec.title, "description": spec.description, "language": spec.language}
    return run.evaluate.model_dump(mode="json") | texts | {"preset": run.preset}


def _work(context: StageContext) -> Generator[Progress, None, dict[str, Any]]:
    from evaluation.assess import assess
    from evaluation.baselines.ladder import best_ngram, model_row
    from evaluation.report.render import write_report

    started = time.monotonic()
    findings = yield from assess(_inputs(context), context.run.evaluate)
    yield Progress.at(0.99, "writing the report")
    evaluation = _evaluation(context, findings)
    write_report(evaluation, context.directory)
    findings.evidence.save(context.directory)
    model, rival = model_row(findings.ladder), best_ngram(findings.ladder)
    before = sum(one.seconds for one in _manifests(context).values())
    return {
        "verdict": findings.verdict,
        "bits_per_char": model.bits_per_char,
        "gain_over_ngram": rival.bits_per_char - model.bits_per_char,
        "headline": findings.headline,
        **_headline_summary(findings),
        "warnings": [f"{t.kind}: {t.text}" for t in findings.threats if not t.is_general],
        "seconds_in_all": before + (time.monotonic() - started),
    }


def _inputs(context: StageContext) -> "EvaluationInputs":
    from corpora.corpus.parquet import read_documents
    from corpora.corpus.summary import CorpusSummary
    from evaluation.assess import EvaluationInputs
    from modeling.checkpoint import load_model
    from modeling.inference.samples import read_samples

    corpus = context.inputs["corpus"]
    summary = CorpusSummary.load(corpus)
    model, vocabulary, _ = load_model(context.inputs["train"], device_of(context.settings.device))
    is_searched = context.run.spec.corpus.near_duplicates != "ignore"
    return EvaluationInputs(
        dataset=context.run.dataset,
        title=context.run.spec.title,
        language=context.run.spec.language,
        train=list(read_documents(corpus, "train")),
        validation=list(read_documents(corpus, "validation")),
        test=list(read_documents(corpus, "test")),
        model=model,
        vocabulary=vocabulary,
        samples=read_samples(context.inputs["sample"]),
        training=_training(context, summary),
        near_copies=summary.leak_after.files if is_searched else None,
    )


def _training(context: StageContext, summary: "CorpusSummary") -> "Training":
    from evaluation.report.facts import Training

    train = Manifest.load(context.inputs["train"])
    return Training(
        characters=train.summary["characters"],
        epoch=summary.splits["train"].characters,
        seconds=train.summary["seconds"],
        learning_rate=train.parameters["learning_rate"],
        curve=list(_curve(context)),
    )


def _evaluation(context: StageContext, findings: "Findings") -> "Evaluation":
    """The findings and their provenance."""
    from corpora.corpus.summary import CorpusSummary
    from evaluation.results import Evaluation

    spec, manifests = context.run.spec, _manifests(context)
    summary = CorpusSummary.load(context.inputs["corpus"])
    return Evaluation(
        dataset=context.run.dataset,
        title=spec.title,
        description=spec.description,
        language=spec.language,
        key=context.output.key,
        created=now_stamp(),
        verdict=findings.verdict,
        headline=findings.headline,
        ladder=findings.ladder,
        groups=findings.groups,
        curve=list(_curve(context)),
        funnel=[_source(summary), *summary.funnel],
        licenses=summary.licenses,
        split={name: (size.documents, size.characters) for name, size in summary.splits.items()},
        notes=list(_notes(summary, context.run.spec.corpus)),
        samples=findings.samples,
        cost=dict(_cost(manifests)),
        identity=dict(_identity(context, manifests, summary.digest)),
        threats=findings.threats,
        history=list(_history(context)),
        recommended=findings.recommended,
        change=_change(context, findings),
    )


def _curve(context: StageContext) -> "Iterator[ReportCurvePoint]":
    """The learning curve of the training, reduced to the published fields."""
    from evaluation.results import ReportCurvePoint
    from modeling.training.learning_curve import read_metrics

    for point in read_metrics(context.inputs["train"]):
        yield ReportCurvePoint(
            characters=point.characters,
            seconds=point.seconds,
            train_bits=point.train_bits,
            validation_bits=point.validation_bits,
        )


def _manifests(context: StageContext) -> dict[str, Manifest]:
    return {name: Manifest.load(context.inputs[name]) for name in UPSTREAM}


def _source(summary: "CorpusSummary") -> "FunnelStep":
    """The first row of the funnel: the source, before any rule is applied."""
    from corpora.corpus.summary import FunnelStep

    files, size = summary.seen
    return FunnelStep(
        reason="in the source", files_left=files, bytes_left=size, files_dropped=0, bytes_dropped=0
    )


def _notes(summary: "CorpusSummary", spec: "CorpusSpec") -> Iterator[str]:
    """The effect of deduplication, for readers of the report, and every near-copy that is left."""
    copies = sum(row.files_dropped for row in summary.funnel if row.reason == "duplicate")
    if copies:
        one, many = "file is an exact copy of another", "files are exact copies of others"
        yield f"Left out: {copies:,} {one if copies == 1 else many}."
    if spec.near_duplicates == "ignore":
        yield "Near-copies were not searched for, so some may be on both sides of the split."
        return
    before, after = summary.leak_before, summary.leak_after
    if not before.files and not after.files:
        yield "No held-out file has a copy or near-copy in the training text."
    else:
        yield (
            "Held-out files with a copy or near-copy in the training text: in a split by file name "
            f"at least {before.files:,} ({before.characters:,} characters), in this split "
            f"{after.files:,}."
        )
    if spec.part_characters:
        yield "Parts of a text were not compared with one another."
    for held_out, training in after.twins:
        yield f"{held_out} is held out, its near-copy {training} is in the training text."


def _cost(manifests: Mapping[str, Manifest]) -> Iterator[tuple[str, str]]:
    train = manifests["train"]
    summary = train.summary
    speed = summary["characters"] / max(summary["seconds"], 1e-9)
    text = (
        f"{duration(summary['seconds'])}, {summary['characters']:,} characters, "
        f"{speed:,.0f} per second, {summary['parameters']:,} parameters"
    )
    yield "training", text
    yield "hardware", summary["device"]
    yield "engine", summary["engine"]
    resumed = train.attempts - 1
    yield "resumed", f"{resumed} times" if resumed else "never"
    for name in ("fetch", "corpus", "sample"):
        yield name, duration(manifests[name].seconds)


def _identity(
    context: StageContext, manifests: Mapping[str, Manifest], corpus_digest: str
) -> Iterator[tuple[str, str]]:
    import hashlib

    from evaluation.scoring.compilers import installed_compilers

    for label, version in manifests["fetch"].summary["found"].items():
        yield f"source {label}", version
    yield "corpus", corpus_digest
    weights = (context.inputs["train"] / "model.safetensors").read_bytes()
    yield "model weights", hashlib.sha256(weights).hexdigest()
    yield "preset", f"{context.run.preset}, budget {manifests['train'].parameters['budget']}"
    yield "seeds", f"training {manifests['train'].parameters['seed']}, " + _sample_seeds(manifests)
    for name, manifest in manifests.items():
        yield f"{name} key", manifest.key
    yield "compilers asked", ", ".join(installed_compilers(context.run.spec.language)) or "none"
    for name, version in manifests["train"].software.items():
        yield name, version


def _sample_seeds(manifests: Mapping[str, Manifest]) -> str:
    spec = manifests["sample"].parameters
    return f"samples {spec['seed']} to {spec['seed'] + spec['samples'] - 1} at each temperature"


def _history(context: StageContext) -> "Iterator[PreviousRun]":
    """Earlier reports of this dataset, newest first."""
    from evaluation.results import PreviousRun

    for run in _intact(context.output.runs, MANIFEST):
        summary = run.manifest.summary
        yield PreviousRun(
            key=run.key,
            created=run.manifest.created,
            preset=run.manifest.parameters["preset"],
            bits_per_char=summary["bits_per_char"],
            gain_over_ngram=summary["gain_over_ngram"],
            headline_metric=summary["headline_value"],
            seconds=summary["seconds_in_all"],
        )


def _intact(runs: StageRuns, *names: str) -> Iterator[StageRun]:
    """The finished runs whose files of these names are intact, newest first."""
    for run in reversed(runs.finished()):
        if found := list_faults(run, *names):
            logger.warning("%s, %s: left out: %s", runs, run.key, shown(found))
        else:
            yield run


def _change(context: StageContext, findings: "Findings") -> "Comparison | None":
    """Changes since the latest earlier report that kept its evidence."""
    from evaluation.errors import ReportError
    from evaluation.evidence import DOCUMENTS, TEXTS, has_evidence, load_evidence
    from evaluation.report.compare import compare_evaluations

    for run in _intact(context.output.runs, DOCUMENTS, TEXTS):
        if not has_evidence(run.folder):
            continue
        try:
            earlier = load_evidence(run.folder)
        except ReportError as error:
            logger.warning("not compared with %s: %s", run.key, error)
            continue
        return compare_evaluations(
            earlier,
            findings.evidence,
            old_key=run.key,
            new_key=context.output.key,
            headline=findings.headline,
        )
    return None


def _headline_summary(findings: "Findings") -> dict[str, Any]:
    """The headline metric as the verdict quotes it; all None if there is none."""
    from dataclasses import asdict

    from evaluation.report.verdict import headline_group

    quoted = headline_group(findings.groups, findings.headline, findings.recommended)
    group, metric = quoted or (None, None)
    return {
        "headline_value": metric.value if metric else None,
        "headline_metric": asdict(metric) if metric else None,
        "headline_temperature": group.temperature if group else None,
    }


EVALUATE = Stage(
    name="evaluate",
    version=10,
    inputs=UPSTREAM,
    parameters=_parameters,
    work=_work,
)

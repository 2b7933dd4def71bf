"""Evaluate: judge model and samples against floor and control, and write the report."""

from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flows.options import Run, StageName
from flows.stages.devices import device_of
from flows.store.manifest import Manifest
from flows.store.stage import Stage, Workplace
from system.clock import duration, now_stamp
from system.progress import Progress

if TYPE_CHECKING:
    from corpora.corpus.summary import CorpusSummary, FunnelStep
    from evaluation.assess import Findings, Material
    from evaluation.results import Comparison, Evaluation, PreviousRun

UPSTREAM: tuple[StageName, ...] = ("fetch", "corpus", "train", "sample")


def _parameters(run: Run) -> dict[str, Any]:
    spec = run.spec
    words = {"title": spec.title, "description": spec.description, "language": spec.language}
    return run.evaluate.model_dump(mode="json") | words | {"preset": run.preset}


def _work(place: Workplace) -> Generator[Progress, None, dict[str, Any]]:
    from evaluation.assess import assess
    from evaluation.baselines.ladder import best_ngram, model_row
    from evaluation.report.render import write_report

    findings = yield from assess(_material(place), place.run.evaluate)
    yield Progress.at(0.99, "writing the report")
    evaluation = _evaluation(place, findings)
    write_report(evaluation, place.directory)
    findings.evidence.save(place.directory)
    model, rival = model_row(findings.ladder), best_ngram(findings.ladder)
    return {
        "verdict": findings.verdict,
        "bits_per_char": model.bits_per_char,
        "gain_over_ngram": rival.bits_per_char - model.bits_per_char,
        "headline": findings.headline,
        **_headline_summary(findings),
        "warnings": findings.warnings,
        "seconds_in_all": sum(one.seconds for one in _manifests(place).values()),
    }


def _material(place: Workplace) -> "Material":
    from corpora.corpus.parquet import read_documents
    from evaluation.assess import Material
    from modeling.checkpoint import load_model
    from modeling.inference.samples import read_samples

    corpus = place.inputs["corpus"]
    model, vocabulary, _ = load_model(place.inputs["train"], device_of(place.settings.device))
    return Material(
        title=place.run.spec.title,
        language=place.run.spec.language,
        train=list(read_documents(corpus, "train")),
        validation=list(read_documents(corpus, "validation")),
        test=list(read_documents(corpus, "test")),
        model=model,
        vocabulary=vocabulary,
        samples=read_samples(place.inputs["sample"]),
    )


def _evaluation(place: Workplace, findings: "Findings") -> "Evaluation":
    """Findings, and all that is known about how they came to be."""
    from corpora.corpus.summary import CorpusSummary
    from evaluation.results import CurvePoint, Evaluation
    from modeling.training.learning_curve import read_metrics

    spec, manifests = place.run.spec, _manifests(place)
    summary = CorpusSummary.load(place.inputs["corpus"])
    return Evaluation(
        dataset=place.run.dataset,
        title=spec.title,
        description=spec.description,
        language=spec.language,
        key=place.key,
        created=now_stamp(),
        verdict=findings.verdict,
        headline=findings.headline,
        ladder=findings.ladder,
        groups=findings.groups,
        curve=[
            CurvePoint(
                characters=point.characters,
                seconds=point.seconds,
                train_bits=point.train_bits,
                validation_bits=point.validation_bits,
            )
            for point in read_metrics(place.inputs["train"])
        ],
        funnel=[_source(summary), *summary.funnel],
        licenses=summary.licenses,
        split={name: (size.documents, size.characters) for name, size in summary.splits.items()},
        notes=list(_notes(summary)),
        samples=findings.samples,
        cost=dict(_cost(manifests)),
        identity=dict(_identity(place, manifests, summary.digest)),
        threats=findings.threats,
        history=list(_history(place)),
        recommended=findings.recommended,
        change=_change(place, findings),
    )


def _manifests(place: Workplace) -> dict[str, Manifest]:
    return {name: Manifest.load(place.inputs[name]) for name in UPSTREAM}


def _source(summary: "CorpusSummary") -> "FunnelStep":
    """The head of the funnel: what there was before any rule."""
    from corpora.corpus.summary import FunnelStep

    files, size = summary.seen
    return FunnelStep(
        reason="in the source", files_left=files, bytes_left=size, files_dropped=0, bytes_dropped=0
    )


def _notes(summary: "CorpusSummary") -> Iterator[str]:
    """What the treatment of copies changed, in words."""
    copies = sum(row.files_dropped for row in summary.funnel if row.reason == "duplicate")
    if copies:
        yield f"{copies:,} files were exact copies of others and were left out."
    before, after = summary.leak_before, summary.leak_after
    yield (
        f"Leak avoided: had files been split by their names, {before.files:,} held-out files "
        f"({before.characters:,} characters) would have had a copy or near-copy in the training "
        f"text; as they are split, {after.files:,} have one."
    )


def _cost(manifests: Mapping[str, Manifest]) -> Iterator[tuple[str, str]]:
    train = manifests["train"]
    made = train.summary
    speed = made["characters"] / max(made["seconds"], 1e-9)
    words = (
        f"{duration(made['seconds'])}, {made['characters']:,} characters, {speed:,.0f} a second, "
        f"{made['parameters']:,} parameters"
    )
    yield "training", words
    yield "hardware", made["device"]
    yield "engine", made["engine"]
    resumed = train.attempts - 1
    yield "resumed", f"{resumed} times" if resumed else "never"
    for name in ("fetch", "corpus", "sample"):
        yield name, duration(manifests[name].seconds)


def _identity(
    place: Workplace, manifests: Mapping[str, Manifest], corpus_digest: str
) -> Iterator[tuple[str, str]]:
    import hashlib

    from evaluation.scoring.compilers import installed

    for label, found in manifests["fetch"].summary["found"].items():
        yield f"source {label}", found
    yield "corpus", corpus_digest
    weights = (place.inputs["train"] / "model.safetensors").read_bytes()
    yield "model weights", hashlib.sha256(weights).hexdigest()
    yield "preset", f"{place.run.preset}, budget {manifests['train'].parameters['budget']}"
    yield "seeds", f"training {manifests['train'].parameters['seed']}, " + _sample_seeds(manifests)
    for name, manifest in manifests.items():
        yield f"{name} key", manifest.key
    yield "compilers asked", ", ".join(installed(place.run.spec.language)) or "none"
    for name, version in manifests["train"].software.items():
        yield name, version


def _sample_seeds(manifests: Mapping[str, Manifest]) -> str:
    spec = manifests["sample"].parameters
    return f"samples {spec['seed']} to {spec['seed'] + spec['samples'] - 1} at each temperature"


def _history(place: Workplace) -> "Iterator[PreviousRun]":
    """Earlier reports of this dataset, the newest first."""
    from evaluation.results import PreviousRun

    dataset = place.run.dataset
    for key in reversed(place.layout.keys("evaluate", dataset)):
        known = Manifest.load(place.layout.published("evaluate", dataset, key))
        yield PreviousRun(
            key=key,
            created=known.created,
            preset=known.parameters["preset"],
            bits_per_char=known.summary["bits_per_char"],
            gain_over_ngram=known.summary["gain_over_ngram"],
            headline_metric=known.summary["headline_value"],
            seconds=known.summary["seconds_in_all"],
        )


def _change(place: Workplace, findings: "Findings") -> "Comparison | None":
    """What changed since the newest earlier report that can be compared with."""
    from evaluation.evidence import has_evidence, load_evidence
    from evaluation.report.compare import compare

    dataset = place.run.dataset
    for key in reversed(place.layout.keys("evaluate", dataset)):
        folder = place.layout.published("evaluate", dataset, key)
        if has_evidence(folder):
            return compare(
                load_evidence(folder),
                findings.evidence,
                old_key=key,
                new_key=place.key,
                headline=findings.headline,
            )
    return None


def _headline_summary(findings: "Findings") -> dict[str, Any]:
    """The headline metric at the temperature of the verdict; all None where there is none."""
    from dataclasses import asdict

    from evaluation.report.verdict import headline_group

    quoted = headline_group(findings.groups, findings.headline, findings.recommended)
    return {
        "headline_value": quoted[1].value if quoted else None,
        "headline_metric": asdict(quoted[1]) if quoted else None,
        "headline_temperature": quoted[0].temperature if quoted else None,
    }


EVALUATE = Stage(
    name="evaluate",
    version=5,
    inputs=UPSTREAM,
    parameters=_parameters,
    work=_work,
)

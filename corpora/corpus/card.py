"""Write a dataset card, so that Hugging Face's load_dataset(FOLDER) reads the Parquet files."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from corpora.corpus.parquet import DOCUMENTS, LEDGER
from corpora.corpus.summary import CorpusSummary
from corpora.document import UNREACHABLE
from corpora.spec import DatasetSpec
from system.display import shown
from system.markdown import markdown

CARD = "README.md"
MAX_NOTES = 30


def write_card(directory: Path, name: str, spec: DatasetSpec, summary: CorpusSummary) -> None:
    """Write the card of a finished corpus."""
    contents = (
        f"Dataset `{name}`, digest `{summary.digest}`. One row a document: source, path, license, "
        "sha256, split, text. `ledger.parquet` has a row for every file that was seen, kept or "
        "not, with the reason."
    )
    parts = (
        _front_matter(spec.title),
        (f"# {markdown(spec.title)}", "", markdown(spec.description), "", contents),
        _splits(summary),
        _rules(summary),
        *([tuple(lost)] if (lost := _unreachable(directory)) else []),
        ("Documents by licence, as their files or sources state it:",),
        (f"- {markdown(license_)}: {files:,}" for license_, files in summary.licenses.items()),
        _license_notes(summary.license_notes),
    )
    text = "\n\n".join("\n".join(lines) for lines in parts)
    (directory / CARD).write_text(text + "\n", encoding="utf-8")


def _front_matter(title: str) -> Iterator[str]:
    """Metadata for the hub: a title, and which files hold the data."""
    yield "---"
    yield f"pretty_name: {_quoted(title)}"
    yield "task_categories: [text-generation]"
    yield "configs:"
    yield "- config_name: default"
    yield f"  data_files: {_quoted(DOCUMENTS)}"
    yield "---"


def _splits(summary: CorpusSummary) -> Iterator[str]:
    yield "| split | documents | characters |"
    yield "|---|---|---|"
    for split, size in summary.splits.items():
        yield f"| {split} | {size.documents:,} | {size.characters:,} |"


def _rules(summary: CorpusSummary) -> Iterator[str]:
    files, size = summary.seen
    yield "| rule | files dropped | files left | bytes left |"
    yield "|---|---|---|---|"
    yield f"| (in the source) | | {files:,} | {size:,} |"
    for step in summary.funnel:
        yield (
            f"| {markdown(step.reason)} | {step.files_dropped:,} | {step.files_left:,} "
            f"| {step.bytes_left:,} |"
        )


def _license_notes(notes: Sequence[str]) -> Iterator[str]:
    """What is not known about the licences, or was read and must be judged by a person."""
    yield (
        "No licence was guessed: a text that is not that of a known licence, word by word, counts "
        "as unknown. What a person should judge:"
        if notes
        else "No licence file says anything that a person should judge."
    )
    yield ""
    yield from (f"- {markdown(note)}" for note in notes[:MAX_NOTES])
    if len(notes) > MAX_NOTES:
        yield f"- ... and {len(notes) - MAX_NOTES:,} more in `summary.json`"


def _unreachable(directory: Path) -> list[str]:
    """The repositories that could not be fetched, with git's words."""
    table = pq.read_table(directory / LEDGER, filters=[("reason", "=", UNREACHABLE)])
    rows = table.select(["source", "detail"]).to_pylist()
    lines = [f"- {markdown(row['source'])}: {markdown(row['detail'])}" for row in rows]
    return ["Not reachable, so not in this corpus:", *lines] if lines else []


def _quoted(text: str) -> str:
    """A YAML string in double quotes; JSON strings of visible characters are YAML strings."""
    return json.dumps(shown(text), ensure_ascii=False)

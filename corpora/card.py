"""A dataset card beside the Parquet, as Hugging Face reads it: load_dataset(FOLDER) works."""

import json
from pathlib import Path

from corpora.spec import DatasetSpec
from corpora.store import DOCUMENTS
from corpora.summary import CorpusSummary

CARD = "README.md"


def write_card(directory: Path, name: str, spec: DatasetSpec, summary: CorpusSummary) -> None:
    """Write the card of a finished corpus."""
    seen_files, seen_bytes = summary.seen
    rules = [
        f"| {row.reason} | {row.files_dropped:,} | {row.files_left:,} | {row.bytes_left:,} |"
        for row in summary.funnel
    ]
    splits = [
        f"| {split} | {size.documents:,} | {size.characters:,} |"
        for split, size in summary.splits.items()
    ]
    licenses = [f"- {license_}: {files:,}" for license_, files in summary.licenses.items()]
    contents = (
        f"Dataset `{name}`, digest `{summary.digest}`. One row a document: source, path, license, "
        "sha256, split, text. `ledger.parquet` has a row for every file that was seen, kept or "
        "not, with the reason."
    )
    lines = [
        "---",
        f"pretty_name: {_quoted(spec.title)}",
        "task_categories: [text-generation]",
        "configs:",
        "- config_name: default",
        f"  data_files: {_quoted(DOCUMENTS)}",
        "---",
        "",
        f"# {spec.title}",
        "",
        spec.description,
        "",
        contents,
        "",
        "| split | documents | characters |",
        "|---|---|---|",
        *splits,
        "",
        "| rule | files dropped | files left | bytes left |",
        "|---|---|---|---|",
        f"| (in the source) | | {seen_files:,} | {seen_bytes:,} |",
        *rules,
        "",
        "Documents by licence, as their files or sources state it:",
        "",
        *licenses,
        "",
    ]
    (directory / CARD).write_text("\n".join(lines), encoding="utf-8")


def _quoted(text: str) -> str:
    """A YAML string in double quotes; JSON strings are YAML."""
    return json.dumps(text, ensure_ascii=False)

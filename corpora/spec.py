"""A dataset is one TOML file: what to fetch, what to keep, and how to train on it.

The file's name is the dataset's name. Built-in datasets are in `datasets/`; a user's own folder is
read after them and may not reuse their names. Errors name the file and the key.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from corpora.errors import SpecError
from corpora.filters.content import TextRules
from corpora.globs import Glob
from corpora.sources import AnySource
from corpora.text.normalise import Normalisation

PROSE = "prose"
LIST_EXPECTED = 'Input should be a list, as ["a", "b"]'
"""Instead of pydantic's "a valid tuple"."""
NO_LINE_LIMITS = {"corpus": {"text": {"max_line": 0, "max_mean_line": 0}}}
SHIPPED = Path(__file__).parent / "datasets"
NAME = re.compile(r"(?=.{1,100}$)[a-z0-9]+(-[a-z0-9]+)*")
"""Of a dataset. File systems allow 255 bytes, of which locks and logs need some."""


def _extension(text: str) -> str:
    if not re.fullmatch(r"\.[A-Za-z0-9_.+-]+", text):
        raise ValueError(f"{text!r} is not an extension such as '.py'")
    return text


class PathRule(BaseModel):
    """Paths that are dropped.

    Attributes:
        paths: gitignore-style patterns; a path that matches any of them is dropped.
        reason: why, for the ledger and the report.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    paths: tuple[Glob, ...] = Field(min_length=1)
    reason: str = Field(min_length=1, max_length=80)


class SplitSpec(BaseModel):
    """Shares of the documents that are held out.

    Where the hashes leave a split empty, one text is moved into it; one or two texts are each cut
    into three parts.

    Attributes:
        validation: share that decides which weights of a training are kept.
        test: share that the report is about.
        salt: another one gives another split.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    validation: float = Field(default=0.05, gt=0, le=0.4)
    test: float = Field(default=0.05, gt=0, le=0.4)
    salt: str = "charmill"


class CorpusSpec(BaseModel):
    """Which files become documents.

    Attributes:
        extensions: file name extensions to keep, with the dot.
        include: gitignore-style patterns; a path that matches none is dropped.
        exclude: paths to drop, each with its reason.
        max_bytes: maximum size of a file.
        sample_bytes: of the remaining files, keep a sample of this size: whole files, chosen by a
            hash of their names.
        gutenberg: cut off Project Gutenberg's licence, before START and after END.
        part_characters: cut texts, such as books, into documents of at most this length.
        near_duplicates: "decontaminate" drops near-copies of held-out texts, "drop" all near-copies
            but the first, "ignore" none.
        near_threshold: Jaccard similarity of 5-token shingles at which texts are near-copies.
        text: rules on content: long lines, tables, generated, licence, secrets.
        normalise: changes to the text: ASCII, tabs, upper case; none by default.
        split: what is held out.
        frozen: key, or prefix of the key, of an earlier corpus: its documents keep their split.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    extensions: tuple[Annotated[str, AfterValidator(_extension)], ...] = Field(min_length=1)
    include: tuple[Glob, ...] = ()
    exclude: tuple[PathRule, ...] = ()
    max_bytes: int = Field(default=1_000_000, gt=0)
    sample_bytes: int | None = Field(default=None, gt=0)
    gutenberg: bool = False
    part_characters: int | None = Field(default=None, ge=1_000)
    near_duplicates: Literal["decontaminate", "drop", "ignore"] = "decontaminate"
    near_threshold: float = Field(default=0.8, ge=0.5, le=1)
    text: TextRules = TextRules()
    normalise: Normalisation = Normalisation()
    split: SplitSpec = SplitSpec()
    frozen: str | None = Field(default=None, pattern=r"^([0-9a-f]{4,15}|[0-9a-f]{16}(-\d+)?)$")


class DatasetSpec(BaseModel):
    """One dataset.

    Lines of prose have no limits unless the dataset sets them: many have one paragraph a line.

    Attributes:
        title: as reports and lists show it.
        description: one sentence, shown in the Prefect UI.
        language: whose rules judge the samples; "prose" for text that is not code.
        preset: model size and training recipe, if a run names none.
        source: where the text comes from: a `kind` and its fields.
        corpus: which files are kept, and what is held out.
        train: changes to the preset, by key.
        sample: changes to the defaults of sampling, by key.
        evaluate: changes to the defaults of the evaluation, by key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    title: str = Field(min_length=1, max_length=80)
    description: str = ""
    language: str
    preset: str = "smoke"
    source: AnySource
    corpus: CorpusSpec
    train: Mapping[str, Any] = {}
    sample: Mapping[str, Any] = {}
    evaluate: Mapping[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _prose_has_no_line_limits(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or data.get("language") != PROSE:
            return data
        # What is missing is reported as missing.
        return merged(NO_LINE_LIMITS, data) if isinstance(data.get("corpus"), Mapping) else data


def dataset_files(folders: Sequence[Path]) -> dict[str, Path]:
    """Map every dataset's name to its TOML: built-in ones, then those in `folders`.

    Raises:
        SpecError: for a file whose name is invalid or already taken.
    """
    found: dict[str, Path] = {}
    for folder in (SHIPPED, *folders):
        for path in _tomls(folder):
            if not NAME.fullmatch(path.stem):
                raise SpecError(
                    f"{path}: a dataset's name has only a-z, 0-9 and single '-', at most 100"
                )
            if path.stem in found:
                raise SpecError(f"{path}: the name is taken by {found[path.stem]}")
            found[path.stem] = path
    return found


def _tomls(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.toml"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SpecError(f"{folder}: no folder of datasets: {reason}") from None


def load_dataset(
    name: str, folders: Sequence[Path] = (), overrides: Mapping[str, Any] | None = None
) -> DatasetSpec:
    """Read the dataset `name`, with `overrides` (nested like the TOML) merged into it.

    Raises:
        SpecError: if there is no such dataset or its TOML is wrong; names the file and the key.
    """
    files = dataset_files(folders)
    if name not in files:
        raise SpecError(f"no dataset {name!r}; known: {', '.join(files)}")
    return parse_dataset(files[name], overrides or {})


def parse_dataset(path: Path, overrides: Mapping[str, Any]) -> DatasetSpec:
    """Read one TOML file as a dataset."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not valid TOML: {error}") from None
    return parse_toml(text, path, overrides)


def parse_toml(text: str, path: Path, overrides: Mapping[str, Any]) -> DatasetSpec:
    """Read TOML as a dataset; `path` begins every error."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits
        raise SpecError(f"{path}: not valid TOML: {error}") from None
    try:
        return DatasetSpec.model_validate(merged(data, overrides))
    except ValidationError as error:
        raise SpecError(f"{path}: {first_fault(error)}") from None


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge one nested mapping into another; values of `above` win."""
    result = dict(below)
    for key, value in above.items():
        nested = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if nested else value
    return result


def first_fault(error: ValidationError) -> str:
    """The first of pydantic's errors as one line: key, what is wrong, what was given.

    Keys that are missing are named together.
    """
    faults = error.errors(include_url=False)
    fault = faults[0]
    missing = [_place(each) for each in faults if each["type"] == "missing"]
    if len(missing) == len(faults) > 1:
        return f"{', '.join(missing)}: Fields required"
    # A validator of ours names what it may; the value of an unknown key may be a password.
    is_open = fault["type"] not in ("value_error", "extra_forbidden")
    given = fault["input"]
    shown = f" (given: {given!r})" if is_open and isinstance(given, str | int | float) else ""
    more = f"; and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    wrong = LIST_EXPECTED if fault["type"] == "tuple_type" else fault["msg"]
    return f"{_place(fault)}: {wrong}{shown}{more}"


def _place(fault: ErrorDetails) -> str:
    return ".".join(str(part) for part in fault["loc"])

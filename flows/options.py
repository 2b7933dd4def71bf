"""Options of a run, and the settings of every stage derived from them and the dataset.

Settings are layered: the preset, the dataset's TOML, then `--set stage.key=value`. Nothing here
imports Prefect or torch, so planning costs no more than reading a few files; torch is loaded only
to look up an architecture other than the default.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from corpora.errors import SpecError
from corpora.spec import DatasetSpec, dataset_files, first_fault, load_dataset, merged
from evaluation.languages import LANGUAGES, known_languages
from evaluation.spec import EvaluateSpec
from flows.errors import OptionError
from modeling.config import ModelConfig, TrainConfig, train_config_with
from modeling.errors import ConfigError
from modeling.presets import PRESETS

StageName = Literal["fetch", "corpus", "train", "sample", "evaluate"]
STAGE_NAMES: tuple[StageName, ...] = ("fetch", "corpus", "train", "sample", "evaluate")
DATASET_SECTIONS = ("source", "corpus")
SECTIONS = (*DATASET_SECTIONS, "train", "sample", "evaluate")
OWN_PRESET = "dataset's own"
Model = TypeVar("Model", bound=BaseModel)


class SampleSpec(BaseModel):
    """Which samples are generated for the report.

    Attributes:
        temperatures: one set of samples for each.
        samples: of each temperature.
        length: of a sample, in characters.
        seed: of the first sample; those of the others follow it.
        sharpen_runs: let a temperature below 1 favour long runs of one character.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperatures: tuple[Annotated[float, Field(gt=0, le=5)], ...] = Field(
        default=(0.5, 0.8, 1.0), min_length=1
    )
    samples: int = Field(default=20, ge=2, le=10_000)
    length: int = Field(default=10_000, ge=100, le=1_000_000)
    seed: int = Field(default=0, ge=0)
    sharpen_runs: bool = False


class Options(BaseModel):
    """How to run a dataset: the options of the command line and the parameters of Prefect's form.

    Both take their help texts from here, and the form its defaults.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: str = Field(default=OWN_PRESET, description="Model size and training recipe.")
    budget: str = Field(
        default="",
        description="How long to train: 90s, 3m, 2h, 2Mchars or 3epochs; by default the preset's.",
    )
    overrides: tuple[str, ...] = Field(
        default=(),
        description="A setting to change, as train.learning_rate=0.004 or corpus.max_bytes=50000; "
        "may be repeated.",
    )
    start: StageName | None = Field(
        default=None, description="First stage to run; earlier stages are reused unchecked."
    )
    only: StageName | None = Field(
        default=None, description="Run only this stage; earlier stages are reused unchecked."
    )
    force: bool = Field(
        default=False, description="Run again even if current; earlier runs are kept."
    )
    allow_stale: bool = Field(
        default=False,
        description="Use the last fetch if the source cannot be reached.",
    )

    @classmethod
    def help(cls, name: str) -> str:
        """The help text of an option."""
        return cls.model_fields[name].description or ""


@dataclass(frozen=True)
class Run:
    """A dataset with the settings of every stage, complete and validated.

    Attributes:
        init_from: DATASET@KEY of the model that the training starts from, None for fresh weights.
    """

    dataset: str
    spec: DatasetSpec
    preset: str
    train: TrainConfig
    sample: SampleSpec
    evaluate: EvaluateSpec
    init_from: str | None = None

    @cached_property
    def resolution(self) -> dict[str, str]:
        """The current state of the source (asks it, once)."""
        return self.spec.source.resolve()


def read_dataset(
    name: str, folders: Sequence[Path] = (), overrides: Mapping[str, Any] | None = None
) -> DatasetSpec:
    """Read the dataset `name`; unlike `corpora`, this knows which languages can be scored.

    Raises:
        SpecError: if there is no such dataset or its TOML is wrong; names the file and the key.
    """
    spec = load_dataset(name, folders, overrides)
    if spec.language not in LANGUAGES:
        path = dataset_files(folders)[name]
        raise SpecError(f"{path}: language: no {spec.language!r}; known: {known_languages()}")
    return spec


def prepare(dataset: str, options: Options, folders: Sequence[Path] = ()) -> Run:
    """Combine preset, dataset and options into the settings of a run.

    Raises:
        SpecError: if there is no such dataset, or its TOML is wrong.
        OptionError: if an option or override has a wrong name or value.
    """
    if options.start and options.only:
        raise OptionError("--from and --only exclude each other: name one stage")
    overrides = parse_overrides(options.overrides)
    replaced = {name: overrides[name] for name in DATASET_SECTIONS if name in overrides}
    spec = read_dataset(dataset, folders, replaced)
    preset = spec.preset if options.preset == OWN_PRESET else options.preset
    if preset not in PRESETS:
        raise OptionError(f"no preset {preset!r}; known: {', '.join(PRESETS)}")
    own = {name: merged(getattr(spec, name), overrides.get(name, {})) for name in SECTIONS[2:]}
    budget = {"budget": options.budget} if options.budget else {}
    init_from = own["train"].pop("init_from", None)
    return Run(
        dataset=dataset,
        spec=spec,
        preset=preset,
        train=_train_config(preset, own["train"] | budget),
        sample=_checked(SampleSpec, "sample", own["sample"]),
        evaluate=_checked(EvaluateSpec, "evaluate", own["evaluate"]),
        init_from=init_from,
    )


def parse_overrides(overrides: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Turn "train.learning_rate=0.004" into {"train": {"learning_rate": 0.004}}."""
    result: dict[str, dict[str, Any]] = {}
    for text in overrides:
        name, equals, value = text.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and key) or section not in SECTIONS:
            raise OptionError(
                f"--set {text}: expected SECTION.KEY=VALUE with SECTION one of "
                f"{', '.join(SECTIONS)}"
            )
        path = [key] if section == "train" else key.split(".")
        nested: Any = _value(value.strip())
        for part in reversed(path):
            nested = {part: nested}
        result[section] = merged(result.get(section, {}), nested)
    return result


def _value(text: str) -> Any:
    """Parse a value as TOML; what is not TOML is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # also a number of 5,000 digits
        return text


def _train_config(preset: str, changes: Mapping[str, Any]) -> TrainConfig:
    try:
        config = train_config_with(PRESETS[preset], changes)
        if config.model.architecture != ModelConfig().architecture:
            from modeling.models import model_class  # loads torch

            model_class(config.model)
    except ConfigError as error:
        raise OptionError(f"train: {error}") from None
    return config


def _checked(model: type[Model], section: str, values: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise OptionError(f"{section}.{first_fault(error)}") from None

"""What a user writes, damaged: dataset TOMLs, overrides, environment variables, names."""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from corpora.scaffold import add_dataset
from corpora.sources import read_quota
from corpora.spec import SHIPPED, load_dataset, parse_dataset
from flows.options import Options, prepare
from flows.server.host_names import host_names
from modeling.device import choose_device
from system.settings import Settings, documentation
from tests.faults.fuzzing import INPUTS, bounded
from tests.faults.mutation import TOKENS, mutated
from tests.faults.table import Fault

KEYS = (
    *("train.learning_rate", "train.budget", "train.model.hidden_size", "train.batch_size"),
    *("train.model.architecture", "train.model", "train.seed", "train.chunk_length"),
    *("train.min_count", "train.optimizer", "train.init_from", "train.precision", "train.engine"),
    *("corpus.max_bytes", "corpus.extensions", "corpus.split.validation", "corpus.exclude"),
    *("corpus.frozen", "corpus.text.longest_line", "corpus.include", "sample.temperatures"),
    *("sample.length", "sample.samples", "evaluate.ngram_orders", "evaluate.floor_order"),
    *("source.kind", "source.urls", "source.path", "source.repositories", "source.url", "x.y"),
)
WORDS = (
    *(
        "0",
        "-1",
        "1",
        "1e400",
        "nan",
        "inf",
        "-inf",
        "true",
        "[]",
        "{}",
        '""',
        "[[[]]]",
        "9" * 5_000,
    ),
    *(
        "1979-05-27T07:32:00Z",
        "00:99",
        '"\\ud800"',
        "\x00",
        "\ud800",
        "é",
        "a.b=c",
        "[1,",
        "'",
        '"',
    ),
    *(
        "[" * 2_000,
        "{a=" * 2_000,
        "0x7f",
        "99999999999999999999",
        "[nan]",
        "3epochs",
        "-1h",
        "1e9h",
    ),
    *("{stdlib}", "~nosuchuser/x", "/", "file:///", "http://[", "https://a:b@c/", "../../x", "\n"),
    *("0.5\ntitle='x'", "[0.1, 'a']", "{a = 1}", "a" * 100_000, "1_000", "٣", "½", "1" * 400 + "s"),
)


def _toml(random: Random) -> int:
    """Damaged copies of the datasets that ship."""
    files = sorted(SHIPPED.glob("*.toml"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "damaged.toml")
        for _ in range(INPUTS):
            content = mutated(random, random.choice(files).read_bytes())
            path.write_bytes(content)
            with bounded(content):
                parse_dataset(path, {})
            with bounded(content):
                load_dataset("damaged", [Path(folder)])
            with bounded(content):
                prepare("damaged", Options(), [Path(folder)])
    return INPUTS


def _overrides(random: Random) -> int:
    """Settings of `--set`, and the other options of a run."""
    names = sorted(path.stem for path in SHIPPED.glob("*.toml"))
    for _ in range(INPUTS):
        overrides = tuple(_override(random) for _ in range(random.choice((1, 1, 2))))
        budget = random.choice(("", "", *WORDS))
        preset = random.choice((*[Options().preset] * 5, "smoke", "", "\x00", "../x"))
        with bounded((overrides, budget, preset)):
            prepare(
                random.choice(names),
                Options(overrides=overrides, budget=budget, preset=preset),
            )
    return INPUTS


def _override(random: Random) -> str:
    text = f"{random.choice(KEYS)}={random.choice(WORDS)}"
    if random.random() < 0.3:
        text = mutated(random, text.encode("utf-8", "surrogatepass")).decode(
            "utf-8", "surrogateescape"
        )
    return text


def _variables(random: Random) -> int:
    """Every variable, and what is made of it before any work."""
    for _ in range(INPUTS):
        names = random.sample(list(documentation()), random.choice((1, 1, 2)))
        values = {name: _storable(random) for name in names}
        os.environ.update(values)
        try:
            with bounded(values):
                _use_settings()
        finally:
            for name in values:
                del os.environ[name]
    return INPUTS


def _storable(random: Random) -> str:
    """A value that an environment can hold: no NUL."""
    text = random.choice(WORDS)
    if random.random() < 0.5:
        text = (random.choice(TOKENS) + random.randbytes(5)).decode("utf-8", "surrogateescape")
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:10_000]


def _use_settings() -> None:
    settings = Settings()
    with bounded("artifacts"):
        assert settings.artifacts_root
    with bounded("datasets"):
        load_dataset("nosuch", settings.dataset_folders)
    with bounded("device"):
        choose_device(settings.device)
    with bounded("hosts"):
        host_names("127.0.0.1", settings.server_hosts)
    with bounded("quota"), tempfile.TemporaryDirectory() as state:
        read_quota(settings.model_copy(update={"state": Path(state)}), datetime.now(UTC))


def _added(random: Random) -> int:
    """Locations, extensions and names given to `charmill add`."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(INPUTS):
            location = random.choice(("https://a.example/b", "/tmp", "git@h:a/b", *WORDS))
            if random.random() < 0.5:
                raw = mutated(random, location.encode("utf-8", "surrogatepass"))
                location = raw.decode("utf-8", "surrogateescape")
            extension = random.choice((".py", ".txt", *WORDS))
            name = random.choice((None, f"n{number}", *WORDS))
            with bounded((location, extension, name)):
                add_dataset(location, [extension], Path(folder), name)
    return INPUTS


FAULTS = [
    Fault(name="dataset TOMLs", rounds=20, short_rounds=1, run=_toml),
    Fault(name="options and overrides", rounds=20, short_rounds=1, run=_overrides),
    Fault(name="environment variables", rounds=20, short_rounds=1, run=_variables),
    Fault(name="charmill add", rounds=10, short_rounds=1, run=_added),
]

"""A damaged file anywhere in the store or the cache, and every command that could read it.

Each command must end with one line, or give what it gave before the damage, or say that something
is damaged. A traceback is a loss, and so is another result without a word.
"""

import contextlib
import functools
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import typer

from flows.cli.main import app
from flows.options import Options
from flows.planning.plan import make_plan
from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import execute
from system.errors import CharmillError
from tests.faults.fuzz_files import KEPT
from tests.faults.mutation import mutated, mutated_json
from tests.faults.table import Fault, LostError
from tests.flows.conftest import Tiny, make_tiny
from tests.processes import DEADLINE_SECONDS

COMMANDS = (
    ("status",),
    ("status", "tiny", "--json"),
    ("report", "tiny"),
    ("report", "--all"),
    ("explain", "tiny", "part0.py"),
    ("diff", "tiny"),
    ("compare", "tiny"),
    ("table", "--all-runs", "--format", "csv"),
    ("sample", "tiny", "--length", "50"),
    ("run", "tiny", "--plan"),
    ("datasets",),
)
ROOT = Path(__file__).parents[2]
SAID = re.compile(r"damage|cannot be read|not readable|changed|missing|later version|is gone|again")
"""Words by which an answer that differs says that something is wrong."""


@functools.cache
def finished() -> Path:
    """A home with the dataset `tiny`, every stage finished twice."""
    KEPT.append(folder := tempfile.TemporaryDirectory())
    home = Path(folder.name)
    tiny = make_tiny(home)
    for seed in (1, 2):
        _run_all(
            tiny, Options(overrides=(f"train.seed={seed}", f"corpus.max_bytes={10**6 + seed}"))
        )
    _run_all(tiny, Options())
    return home


def _run_all(tiny: Tiny, options: Options) -> dict[str, str]:
    """Run the stages that are not current, without Prefect; their keys."""
    run, keys = tiny.run(overrides=options.overrides), {}
    plan = make_plan(run, options, tiny.store)
    for decision, stage in zip(plan.decisions, STAGES, strict=True):
        inputs = stage.choose(keys)
        made = execute(stage, run, inputs, settings=tiny.settings, reporter=LogReporter())
        keys[decision.stage] = made.key
    return keys


@contextlib.contextmanager
def _copy() -> Iterator[Path]:
    """A copy of the home, used by the commands of the block."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        shutil.copytree(finished(), home, symlinks=True)
        (home / "datasets" / "tiny.toml").write_text(
            (home / "datasets" / "tiny.toml").read_text().replace(str(finished()), str(home))
        )
        shutil.copytree(finished() / "code", home / "code", dirs_exist_ok=True)
        variables = {
            "CHARMILL_ARTIFACTS": str(home / "artifacts"),
            "CHARMILL_DATASETS": str(home / "datasets"),
            "CHARMILL_DEVICE": "cpu",
        }
        os.environ.update(variables)
        try:
            yield home
        finally:
            for name in variables:
                del os.environ[name]


def _answer(home: Path, *command: str) -> str:
    """What a command prints, or the line that it ends with; any other end is a loss."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            app(list(command), standalone_mode=False)
    except CharmillError as error:
        return f"charmill: damage: {error}"
    except typer.Exit as end:
        assert not end.exit_code, printed.getvalue()
    return printed.getvalue().replace(str(home), "HOME")


@functools.cache
def _intact() -> dict[tuple[str, ...], str]:
    with _copy() as home:
        return {command: _answer(home, *command) for command in COMMANDS}


def damage(random: Random, path: Path) -> str:
    """Damage one file; the kind of damage."""
    content = path.read_bytes()
    kind = random.choice(("empty", "cut", "flipped", "mutated", "newer", "folder", "gone", "text"))
    if kind in ("gone", "folder"):
        path.unlink()
        if kind == "folder":
            path.mkdir()
        return kind
    if kind == "cut":
        content = content[: random.choice((1, 8, len(content) // 2, max(len(content) - 1, 0)))]
    elif kind == "flipped" and content:
        place = random.randrange(len(content))
        flipped = bytes([content[place] ^ (1 << random.randrange(8))])
        content = content[:place] + flipped + content[place + 1 :]
    elif kind == "newer":
        content = (
            content.replace(b'"version": ', b'"later": 1, "version": 9').replace(
                b"charmill-report/2", b"charmill-report/99"
            )
            + b" "
        )
    elif kind == "mutated":
        is_json = path.name.endswith(".json") or path.name == ".failed"
        content = (mutated_json if is_json else mutated)(random, content)
    else:
        content = b"" if kind == "empty" else b"What is this?\n"
    path.write_bytes(content)
    return kind


def _one_file(random: Random) -> None:
    """One damaged file, and every command."""
    intact = _intact()
    with _copy() as home:
        files = sorted(
            path
            for path in (home / "artifacts").rglob("*")
            if path.is_file() and not path.is_symlink()
        )
        path = random.choice(files)
        what = f"{path.relative_to(home)} {damage(random, path)}"
        for command in COMMANDS:
            try:
                answer = _answer(home, *command)
            except Exception as error:
                raise LostError(
                    f"{what}: {' '.join(command)}: {type(error).__name__}: {error}"
                ) from error
            if answer != intact[command] and not _is_explained(command, answer):
                raise LostError(f"{what}: {' '.join(command)} now says {answer[:300]!r}")


def _is_explained(command: tuple[str, ...], answer: str) -> bool:
    # A run without a manifest does not exist, and a plan may name what it makes again.
    may_shrink = command[0] in ("status", "report", "table")
    return bool(SAID.search(answer)) or may_shrink or "--plan" in command


def _made_again(random: Random) -> None:
    """One damaged file, then a run: what is published afterwards is what was published before."""
    with _copy() as home:
        tiny = _tiny(home)
        before = _run_all(tiny, Options())
        digests = _digests(tiny, before)
        folders = [tiny.store.runs(stage, "tiny").run(key).folder for stage, key in before.items()]  # type: ignore[arg-type]
        path = random.choice(
            sorted(one for folder in folders for one in folder.rglob("*") if one.is_file())
        )
        size = path.stat().st_size
        what = f"{path.relative_to(home)} {damage(random, path)}"
        is_seen = not path.is_file() or path.stat().st_size != size
        try:
            after = _run_all(tiny, Options())
        except CharmillError:
            return
        except Exception as error:
            raise LostError(f"{what}: run: {type(error).__name__}: {error}") from error
        # Of a file that no stage reads again, a plan compares the size alone.
        if (is_seen or after != before) and _digests(tiny, after) != digests:
            raise LostError(f"{what}: a run took it for finished")


def _tiny(home: Path) -> Tiny:
    from system.settings import Settings

    return Tiny(folder=home / "code", toml=home / "datasets/tiny.toml", settings=Settings())


def _digests(tiny: Tiny, keys: dict[str, str]) -> dict[str, bytes]:
    """The texts, weights and samples of a run, which are the same on every attempt."""
    names = {
        "corpus": "documents-00000.parquet",
        "train": "model.safetensors",
        "sample": "samples.parquet",
    }
    found = {}
    for stage, name in names.items():
        path = tiny.store.runs(stage, "tiny").run(keys[stage]).folder / name  # type: ignore[arg-type]
        found[stage] = path.read_bytes() if path.is_file() else b""
    return found


def _charmill(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(home / "cache")}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env=os.environ | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )


def _ends_well(home: Path, what: str, *arguments: str) -> None:
    done = _charmill(home, *arguments)
    if done.returncode not in (0, 2) or "Traceback" in done.stderr:
        raise LostError(f"{what}: {' '.join(arguments)}: {done.returncode}: {done.stderr[-1_500:]}")


@functools.cache
def _cache() -> Path:
    """A cache with the compiled kernel and the choice of an engine."""
    with _copy() as home:
        _ends_well(home, "nothing", "sample", "tiny", "--length", "20")
        _ends_well(home, "nothing", "run", "tiny", "--from", "train", "--force")
        kept = finished() / "cache"
        shutil.copytree(home / "cache", kept)
        shutil.copytree(home / "artifacts/.prefect", kept / "prefect")
    return kept


def _damaged_cache(random: Random) -> None:
    """The kernel, or the choice of an engine, in the user's cache."""
    kept = _cache()
    with _copy() as home:
        shutil.copytree(kept, home / "cache", dirs_exist_ok=True)
        files = sorted(path for path in (home / "cache/charmill").rglob("*") if path.is_file())
        path = random.choice(files)
        what = f"{path.relative_to(home)} {damage(random, path)}"
        _ends_well(home, what, "sample", "tiny", "--length", "20")


def _damaged_prefect(random: Random) -> None:
    """Prefect's database and settings."""
    kept = _cache()
    with _copy() as home:
        shutil.copytree(kept / "prefect", home / "artifacts/.prefect", dirs_exist_ok=True)
        folder = home / "artifacts/.prefect"
        files = sorted(one for one in folder.rglob("*") if one.is_file() and one.suffix != ".log")
        path = random.choice(files)
        what = f"{path.relative_to(home)} {damage(random, path)}"
        _ends_well(home, what, "run", "tiny", "--from", "evaluate", "--force")


FAULTS = [
    Fault(name="one file of the store, every command", rounds=300, short_rounds=0, run=_one_file),
    Fault(name="one file of the store, then a run", rounds=60, short_rounds=0, run=_made_again),
    Fault(name="the cache", rounds=10, short_rounds=0, run=_damaged_cache),
    Fault(name="Prefect's files", rounds=8, short_rounds=0, run=_damaged_prefect),
]

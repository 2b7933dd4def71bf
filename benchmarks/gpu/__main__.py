"""Check and measure a GPU in minutes: `python -m benchmarks.gpu`, or `make gpu`.

    python -m benchmarks.gpu [--device cuda:0] [--seconds 235] [--corpus FOLDER] [--results FILE]
    python -m benchmarks.gpu --device cpu --tiny     # what can be tried without a GPU, in a minute

Tests that need a GPU; loss, gradients and held-out bits against the CPU; a training killed and
continued; training compared with a plain nn.LSTM (cuDNN, autocast, fused AdamW) of the same shape
in the same run; sampling; likelihood; and if time is left, a real training of linux-50mb with
its report, where its corpus is in CHARMILL_ARTIFACTS. Every row is printed and written to the file
of results as soon as it is known, so that a run cut short still tells something. What no longer
fits into the time is skipped, and said. Exit status 1 if a check failed.

TFLOP/s count six operations for every weight of a matrix and character; "share" is of the product
of two bfloat16 matrices in the same run.
"""

import argparse
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.gpu.checks import kill_and_resume, parity, tests
from benchmarks.gpu.setting import TINY, Report, Setting, Sizes, read_texts
from benchmarks.gpu.speed import likelihood, products, sampling, training
from modeling.device import choose_device, describe_device
from modeling.errors import DeviceError, ModelingError
from system.settings import Settings

DATASET = "linux-50mb"
_REAL = 60.0
"""Seconds kept for the real training; half of them for what is around it."""
_READING = 30.0
"""Seconds kept for sampling and likelihood."""
_ROOT = Path(__file__).parents[2]


def measure(setting: Setting, report: Report) -> None:
    """Go through all steps."""
    real = _REAL if _has_corpus(setting) else 0.0
    scale = 0.0 if setting.tiny else 1.0
    ceilings: list[float] = []
    steps: list[tuple[str, float, Callable[[], object]]] = [
        ("parity", 60, lambda: parity(setting, report)),
        ("tests", 60, lambda: tests(setting, report, seconds=60)),
        ("resume", 45, lambda: kill_and_resume(setting, report)),
        ("products", 0, lambda: ceilings.append(products(setting, report))),
        (
            "training",
            0,
            lambda: training(setting, report, ceilings[0], reserve=real + _READING * scale),
        ),
        ("sampling", 0, lambda: sampling(setting, report, reserve=real + 10 * scale)),
        ("likelihood", 0, lambda: likelihood(setting, report, reserve=real)),
        ("pipeline", 0, lambda: real_training(setting, report)),
    ]
    for name, seconds, step in steps:
        if not seconds or report.has(seconds * scale, name, "all"):
            # What fails on a machine that nobody can look at must not cost the other figures.
            try:
                step()
            except (RuntimeError, ModelingError, LookupError, AssertionError) as error:
                traceback.print_exc()
                report.check(name, "all", passed=False, reason=f"{type(error).__name__}: {error}")


def _has_corpus(setting: Setting) -> bool:
    return setting.on_cuda and setting.corpus.is_dir()


def real_training(setting: Setting, report: Report) -> None:
    """Train, sample and evaluate the dataset by the pipeline itself."""
    name = f"run {DATASET} --from train"
    if not _has_corpus(setting):
        why = f"no corpus at {setting.corpus}" if setting.on_cuda else "needs CUDA"
        report.skip("pipeline", name, why)
        return
    if not report.has(40, "pipeline", name):
        return
    seconds = report.left()
    command = [sys.executable, "-m", "flows.cli", "run", DATASET, "--from", "train"]
    command += ["--preset", "base", "--budget", f"{seconds / 2:.0f}s"]
    began = time.monotonic()
    try:
        done = subprocess.run(command, cwd=_ROOT, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        report.check("pipeline", name, passed=False, reason=f"not done after {seconds:.0f} s")
        return
    spent = time.monotonic() - began
    report.check("pipeline", name, passed=done.returncode == 0, seconds=spent)


def main() -> None:
    """Read the options, go through all steps, say what failed."""
    began = time.monotonic()
    options = _options()
    artifacts = Settings().artifacts_root
    corpus = options.corpus or artifacts / "corpus" / DATASET / "latest"
    sizes = TINY if options.tiny else Sizes()
    device = options.device
    if device.type == "cuda":
        torch.cuda.set_device(device)
    report = Report(options.results or artifacts / "gpu.json", began + options.seconds)
    texts = read_texts(corpus, sizes)
    setting = Setting(device=device, tiny=options.tiny, sizes=sizes, texts=texts, corpus=corpus)
    report.say(
        "machine",
        describe_device(device),
        torch=torch.__version__,
        python=platform.python_version(),
        text=texts.source,
        ids=texts.vocabulary.size,
    )
    measure(setting, report)
    report.say(
        "end", f"{time.monotonic() - began:.0f} s", failed=", ".join(report.failed) or "none"
    )
    sys.exit(bool(report.failed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda:0", help="to measure; default: cuda:0")
    parser.add_argument("--seconds", type=float, default=235.0, help="for everything")
    parser.add_argument("--tiny", action="store_true", help="small sizes: a dry run")
    parser.add_argument("--corpus", type=Path, help=f"folder of a corpus; default: {DATASET}'s")
    parser.add_argument("--results", type=Path, help="JSON; default: gpu.json among the artifacts")
    options = parser.parse_args()
    try:
        options.device = choose_device(options.device)
    except DeviceError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    main()

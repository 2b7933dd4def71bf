"""Whether a device computes what the CPU computes, and continues what was killed.

    python -m benchmarks.gpu.checks DEVICE DIRECTORY CHARACTERS

trains a small model from the last checkpoint in DIRECTORY to its end: what `kill_and_resume` kills.
"""

import copy
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu.setting import Report, Setting
from modeling.checkpoint import load_checkpoint, save_checkpoint
from modeling.config import Budget, ModelConfig, TrainConfig
from modeling.device import use_tensor_cores
from modeling.engines.batches import Batches
from modeling.engines.learner import Learner
from modeling.inference.likelihood import bits_of_documents
from modeling.models import build_model
from modeling.models.model import CharModel
from modeling.training.job import TrainingJob
from modeling.training.trainer import Trainer
from modeling.vocab import Ids, Vocabulary

CPU = torch.device("cpu")
SHAPE = ModelConfig(
    embedding_size=32, hidden_size=128, num_layers=2, skip=True, ngram_order=4, ngram_rows=1000
)
_CHARACTERS = 200_000
"""That the killed training reads: 400 updates."""
_TINY_CHARACTERS = 10_000
CONFIG = TrainConfig(
    model=SHAPE,
    budget=Budget(characters=_CHARACTERS),
    batch_size=16,
    chunk_length=32,
    validation_characters=2000,
)
NEAR = 1e-4
NEAR_NORM = 1e-3
"""Of the norm after updates: the first of AdamW turns rounding of tiny gradients into steps."""
NEAR_BITS = 1e-3
NEAR_END = 0.05
"""Bits per character at the end of a killed training, compared with an undisturbed one: sums made
in another order on every run of a GPU grow over hundreds of updates."""
_ROOT = Path(__file__).parents[2]


def tests(setting: Setting, report: Report, seconds: float) -> None:
    """Run the tests that need a GPU."""
    name = "pytest -m gpu tests/modeling"
    if not setting.on_cuda:
        report.skip("tests", name, "needs CUDA")
        return
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider"]
    # Versions there are not those of the lock file: what they warn of is not our error.
    command += ["-o", "filterwarnings=default", "-rs", "--no-header", "tests/modeling"]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=_ROOT,
            env=environment,
            timeout=seconds,
            check=False,
            capture_output=True,
            text=True,
        )
    except subprocess.TimeoutExpired:
        report.check("tests", name, passed=False, reason=f"not done after {seconds:.0f} s")
        return
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or [""]
    if done.returncode:
        print(done.stdout[-8000:], done.stderr[-2000:], flush=True)
    # Tests that were all skipped say nothing of the GPU.
    passed = done.returncode == 0 and " passed" in lines[-1]
    report.check("tests", name, passed=passed, summary=lines[-1])


@contextmanager
def _exact_float32() -> Iterator[None]:
    """Without TF32, then with it as training has it."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        use_tensor_cores()
        torch.backends.cudnn.allow_tf32 = True


def parity(setting: Setting, report: Report) -> None:
    """Compare loss, gradients, one update and held-out bits with the CPU's."""
    if not setting.on_cuda:
        report.say("parity", "a dry run", note="compares the CPU with itself")
    here, there = _models(setting)
    with _exact_float32():
        found = {
            device: _loss_and_gradients(model, setting) for device, model in ((1, here), (0, there))
        }
        for name, wanted in found[0].items():
            error = _distance(found[1][name], wanted)
            report.check("parity", name, passed=error <= NEAR, relative_error=error)
        _one_update(setting, report)
    documents = setting.texts.test[:8]
    characters = sum(len(document) - 1 for document in documents)
    bits = [
        bits_of_documents(model, setting.texts.vocabulary, documents) for model in (here, there)
    ]
    error = float(np.abs(bits[0] - bits[1]).sum()) / characters
    report.check("parity", "held-out bits", passed=error <= NEAR_BITS, bits_per_char=error)


def _models(setting: Setting) -> tuple[CharModel, CharModel]:
    """The same weights on the device and on the CPU."""
    torch.manual_seed(3)
    model = build_model(SHAPE, setting.texts.vocabulary.size)
    for table in model.tables():
        torch.nn.init.normal_(table, std=0.3)
    return copy.deepcopy(model).to(setting.device), model


def _loss_and_gradients(model: CharModel, setting: Setting) -> dict[str, Tensor]:
    device = model.output.weight.device
    part = setting.texts.stream[: 16 * 33].astype(np.int64)
    ids = torch.from_numpy(part).view(16, 33).to(device)
    logits, _ = model(ids[:, :-1])
    loss = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    found = {"loss": loss}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None
            found[f"gradient of {name}"] = weight.grad
    if model.ngrams is not None:
        found["gradient of the n-grams"] = model.ngrams.gradient()[1]
    return {name: value.detach().to_dense().cpu().double() for name, value in found.items()}


def _distance(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def _one_update(setting: Setting, report: Report) -> None:
    """Compare what `Learner.update` says of its first chunks, loss and norm of the gradient."""
    said = []
    for device in (setting.device, CPU):
        config = replace(CONFIG, precision="float32")
        learner = Learner(config, setting.texts.vocabulary.size, config.batch_size, device)
        # Learners on CUDA ask for TF32.
        torch.set_float32_matmul_precision("highest")
        batches = Batches(
            setting.texts.stream, batch_size=config.batch_size, chunk_length=config.chunk_length
        )
        updates = [learner.update(batches.next(step), 1e-3, step) for step in range(3)]
        said.append(torch.stack(updates).detach().cpu().double())
    errors = ((said[0] - said[1]).abs() / said[1]).amax(dim=0).tolist()
    for name, error, near in zip(("loss", "norm"), errors, (NEAR, NEAR_NORM), strict=True):
        report.check("parity", f"{name} in 3 updates", passed=error <= near, relative_error=error)


def kill_and_resume(setting: Setting, report: Report) -> None:
    """Kill a training by SIGKILL, continue it, and compare its end with one left alone."""
    with tempfile.TemporaryDirectory() as folder:
        straight, killed = Path(folder) / "straight", Path(folder) / "killed"
        _finish(setting, straight)
        with _start(setting, killed) as process:
            assert process.stdout is not None
            for _ in range(3):
                process.stdout.readline()
            process.kill()
        first = _finish(setting, killed)
        ends = [load_checkpoint(place / "end") for place in (killed, straight)]
    one, two = ends
    assert one is not None
    assert two is not None
    equal = all(torch.equal(one.tensors[name], value) for name, value in two.tensors.items())
    accounts = [end.values["account"] for end in (one, two)]
    gap = abs(accounts[0]["best_bits"] - accounts[1]["best_bits"])
    same = accounts[0]["step"] == accounts[1]["step"]
    report.check(
        "resume",
        "killed and continued",
        passed=first > 1 and same and gap <= NEAR_END,
        continued_at=first,
        updates=accounts[0]["step"],
        same_bits=str(equal),
        gap_in_bits=float(gap),
    )


def _start(setting: Setting, directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.gpu.checks", str(setting.device), str(directory)]
    command.append(str(_TINY_CHARACTERS if setting.tiny else _CHARACTERS))
    return subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)


def _finish(setting: Setting, directory: Path) -> int:
    """Train to the end; the number of the first update that it reported."""
    with _start(setting, directory) as process:
        assert process.stdout is not None
        lines = process.stdout.read().split()
    if process.returncode:
        raise RuntimeError(f"a training ended with status {process.returncode}")
    return int(lines[0])


def _text() -> tuple[Vocabulary, list[Ids]]:
    texts = [f"line {i}, " * (i % 40) + "end\n" for i in range(300)]
    vocabulary = Vocabulary(tuple(sorted(set("".join(texts)))))
    return vocabulary, vocabulary.encode_documents(texts)


def train(device: torch.device, directory: Path, characters: int) -> None:
    """Train from the last checkpoint to the end, with a checkpoint after every record."""
    vocabulary, documents = _text()
    trainer = Trainer(
        TrainingJob(
            config=replace(CONFIG, budget=Budget(characters=characters)),
            vocabulary=vocabulary,
            stream=np.concatenate(documents[:280]),
            validation=documents[280:],
        ),
        device=device,
        checkpoint=load_checkpoint(directory / "checkpoints"),
    )
    for progress in trainer.run():
        save_checkpoint(directory / "checkpoints", trainer.checkpoint())
        print(progress.step, flush=True)
    save_checkpoint(directory / "end", trainer.checkpoint())


if __name__ == "__main__":
    train(torch.device(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

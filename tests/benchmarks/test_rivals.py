"""The comparison with rivals: order, memory, page, and nanoGPT's side of it with a fake model."""

import os
import subprocess

import numpy as np
import pytest
import torch
import yaml

from benchmarks.peers import Predictor
from benchmarks.quality import Texts, peer
from benchmarks.real_corpora import TrialError
from benchmarks.rivals import adaptive, cleaning, datatrove_pipeline, idle, nano_gpt, trained
from benchmarks.rivals.__main__ import Trial, fill, main
from benchmarks.rivals.cells import Cell, Cells, Key
from benchmarks.rivals.page import page, spread
from benchmarks.rivals.texts import Library, shown
from corpora.filters.content import TextRules
from modeling.vocab import Vocabulary

TEXTS = ("tinyshakespeare", "python-stdlib")


def cell(rival, bits, *, text="tinyshakespeare", seconds=180.0, seed=0):
    key = Key(
        part="trained", rival=rival, text=text, seconds=seconds, seed=seed, characters=300_000
    )
    return made(key, {"bits": bits, "seconds": seconds})


def made(key, figures, program="torch 1"):
    return Cell(key=key, figures=figures, made=[program, "Python 3"], processor="A CPU")


def order(rivals, budgets=(600, 180), seeds=2):
    return trained.in_order(rivals, TEXTS, budgets, seeds, 1000)


def test_a_short_run_measures_the_important_rivals_on_all_texts_with_the_shortest_budget():
    keys = order(["keras-windows", "nanogpt", "charmill"])
    first = [(key.seconds, key.seed, key.text, key.rival) for key in keys[:4]]
    assert first == [(180, 0, text, rival) for text in TEXTS for rival in ("nanogpt", "charmill")]
    assert [key.rival for key in keys[8:12]] == ["keras-windows"] * 4
    assert {key.seconds for key in keys[:12]} == {180}
    assert len(keys) == len(set(keys)) == 3 * 2 * 2 * 2


def test_a_model_is_trained_before_dynamic_evaluation_needs_it():
    keys = adaptive.in_order(600, 2, 1000)
    for place, key in enumerate(keys):
        if key.part == adaptive.PART and key.rival == trained.OURS:
            assert adaptive.trained_before(key) in keys[:place]
    assert [key for key in keys if key.part == trained.PART] == trained.in_order(
        ["charmill"], [adaptive.TEXT], [600], 2, 1000
    )


def test_a_cell_is_remembered_whatever_its_key(tmp_path):
    cells = Cells(tmp_path / "cells")
    one = cell("nanoGPT / larger, of 'all'", 2.5, seed=3)
    assert one.key not in cells
    cells.put(one)
    assert one.key in cells
    assert cell("nanoGPT / larger, of 'all'", 2.5, seed=4).key not in cells
    assert list(Cells(tmp_path / "cells")) == [one]


def test_keys_that_differ_are_different_files():
    keys = [*order(list(trained.RIVALS)), *adaptive.in_order(600, 3, 1000)]
    keys += [Key(part=idle.PART, rival=name) for name in (idle.OURS, idle.DVC)]
    assert len({key.slug for key in keys}) == len(set(keys))


class FakeTrial(Trial):
    """Measures in no time, and cannot measure char-rnn."""

    def measure(self, key):
        self.budgets.append(key.seed)
        if key.rival == "char-rnn":
            raise TrialError("no torch7")
        return {"bits": 2.0 + key.seed}


def fake(tmp_path, rivals, seeds):
    library = Library(folder=tmp_path, mirrors=tmp_path, git_config=tmp_path)
    gym = trained.Gym(mirrors=tmp_path, models=tmp_path)
    return FakeTrial(
        parts=rivals, texts=TEXTS[:1], budgets=[7.0], seeds=seeds, held_out=9,
        datatrove=None, library=library, gym=gym,
    )  # fmt: skip


def test_what_is_measured_is_not_measured_again_and_a_failure_stops_nothing(tmp_path):
    cells, write = Cells(tmp_path / "cells"), tmp_path / "rivals.md"
    first = fake(tmp_path, ["char-rnn", "charmill"], 1)
    assert [words.rpartition(": ")[2] for words in fill(first, cells, write)] == ["no torch7"]
    assert (
        "| charmill, preset `smoke` (up to 2 MB: `smoke-small`) | 2.000 | 1 |" in write.read_text()
    )
    second = fake(tmp_path, ["charmill"], 2)
    assert fill(second, cells, write) == []
    assert second.budgets == [7.0, 1]  # the seed that was missing
    row = f"| {trained.RIVALS[trained.OURS]} | 2.500 (2.000 to 3.000) | 2 |"
    assert row in write.read_text()


def test_a_rival_without_its_repository_is_one_line(tmp_path):
    gym = trained.Gym(mirrors=tmp_path, models=tmp_path)
    with pytest.raises(TrialError, match="no mirror of karpathy/nanoGPT"):
        gym._recipe("nanogpt")


def test_the_last_tenth_of_the_plays_is_held_out_and_cut(tmp_path):
    source = tmp_path / "work" / "data" / "tinyshakespeare"
    source.mkdir(parents=True)
    (source / "input.txt").write_text("to be, or not; " * 40)
    git = ["git", "-C", str(tmp_path / "work"), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    (tmp_path / "karpathy+char-rnn").symlink_to(tmp_path / "work" / ".git")
    library = Library(folder=tmp_path, mirrors=tmp_path, git_config=tmp_path)
    whole, cut = (library.texts("tinyshakespeare", size) for size in (1000, 7))
    assert [len(part[0]) - 1 for part in (whole.validation, whole.train, whole.test)] == [
        *(30, 510, 60),
    ]
    assert cut.test[0].tolist() == whole.test[0][:8].tolist()
    assert cut.name == "tinyshakespeare"


class Indifferent(Predictor):
    """Needs two bits for every character."""

    def nats(self, documents):
        return (np.full(len(document) - 1, 2 * np.log(2)) for document in documents)


def test_a_rival_pays_for_characters_that_it_does_not_know():
    vocabulary = Vocabulary(("a", "b"))
    documents = vocabulary.encode_documents(["abba", "a?"])
    texts = Texts(
        name="x", vocabulary=vocabulary, train=documents, validation=documents, test=documents
    )
    done = peer(texts, lambda stream, size: (Indifferent(), lambda spent: None), 1e-3, seed=0)
    assert done.bits == pytest.approx(2 + vocabulary.unknown_bits / 6)
    assert done.seconds >= 1e-3


def test_a_file_that_a_mirror_lacks_is_one_line(tmp_path):
    repository = tmp_path / "a+b"
    subprocess.run(["git", "init", "-q", "--bare", str(repository)], check=True)
    with pytest.raises(TrialError, match=r"^a/b: fatal: "):
        shown(tmp_path, "a/b", "model.py")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nanoGPT"], "unknown: nanoGPT; parts are charmill, nanogpt"),
        (["--texts", "tinyshakespeare,war-and-peace"], "unknown: war-and-peace; parts are"),
        (["--seconds", "180,0"], "'180,0': each must be positive"),
        (["--seconds", "3m"], "invalid cpu_seconds value: '3m'"),
        (["--datatrove", "no-such-python"], "no-such-python does not exist"),
    ],
)
def test_a_mistake_ends_in_one_line(tmp_path, capsys, arguments, words):
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path), *arguments, "--folder", str(tmp_path / "new")])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_page_has_means_and_ranges_by_budget():
    cells = [
        cell("charmill", 2.25),
        cell("charmill", 2.75, seed=1),
        cell("charmill", 1.5, text="python-stdlib"),
        cell("nanogpt", 3.0, seconds=600.0),
    ]
    text = page(cells)
    assert "| | tinyshakespeare | python-stdlib | seeds |" in text
    assert f"| {trained.RIVALS[trained.OURS]} | 2.500 (2.250 to 2.750) | 1.500 | 1 to 2 |" in text
    short, long = text.index("### 180 CPU-seconds"), text.index("### 600 CPU-seconds")
    assert short < text.index("| charmill, preset") < long < text.index("| nanoGPT, its recipe")
    assert text.endswith("- Python 3\n- torch 1\n\nProcessor: A CPU.\n")
    assert "Nothing to do" not in text


def test_the_page_has_every_part_that_was_measured():
    dvc = {f"{name}, {clock}{end}": 1.5 for name in (idle.OURS, idle.DVC)
           for clock in ("wall", "cpu") for end in ("", ", least", ", most")}  # fmt: skip
    both = {f"{name}, {what}": 1234.0 for name in (cleaning.OURS, cleaning.DATATROVE)
            for what in ("wall", "cpu", *cleaning.SIZES)}  # fmt: skip
    ours = {"static": 1.7, "dynamic": 1.1, "mixture": 1.05, "characters": 531_326}
    adapting = Key(part=adaptive.PART, rival="charmill", seconds=600.0)
    text = page(
        [
            made(Key(part=idle.PART, rival="both"), dvc),
            made(Key(part=cleaning.PART, rival="both"), both),
            made(
                Key(part=adaptive.PART, rival=adaptive.PPMD), {"bits": 1.3, "characters": 531_326}
            ),
            made(adapting, ours),
        ]
    )
    assert "| PPMd 16, primed | 1.300 | 531,326 | |" in text
    assert "zpaq" not in text
    assert "context mixing, after 600 CPU-seconds | 1.050 | 531,326 | 1 |" in text
    assert "| `dvc repro` | 1.50 (1.50 to 1.50) | 1.50 (1.50 to 1.50) |" in text
    assert "| datatrove | 1234.0 | 1234.0 | 1,234 | 1,234 |" in text


def test_a_figure_of_several_seeds_has_a_range():
    assert [spread([]), spread([2.0]), spread([1.0, 3.0])] == [
        "",
        "2.000",
        "2.000 (1.000 to 3.000)",
    ]


def test_the_learning_rate_warms_up_and_ends_at_a_tenth_with_the_time():
    rates = [nano_gpt.learning_rate(spent) for spent in np.linspace(0, 1, 201)]
    top = rates.index(max(rates))
    assert top == 10
    assert rates[top] == pytest.approx(1e-3)
    assert rates[0] == 0
    assert rates[100] == pytest.approx(1e-4 + 0.45e-3 * (1 + np.cos(np.pi * 0.45 / 0.95)))
    assert rates[-1] == pytest.approx(1e-4) == pytest.approx(nano_gpt.learning_rate(1.01))
    assert sorted(rates[top:], reverse=True) == rates[top:]


@pytest.mark.parametrize("length", [1, 2, 4, 5, 8, 9, 12, 13, 40, 41])
@pytest.mark.parametrize("context", [8, 7])
def test_windows_charge_every_character_once_with_half_a_window_before_it(length, context):
    document = np.arange(length, dtype=np.uint16)

    def places(windows):
        return windows[:, 1:].float()

    def contexts(windows):
        return torch.arange(1.0, context + 1).expand(len(windows), context)

    assert nano_gpt.windowed(places, document, context).tolist() == list(range(1, length))
    before = nano_gpt.windowed(contexts, document, context)
    there = np.arange(1, length)
    assert (before >= np.minimum(there, context // 2)).all()
    assert (before <= there).all()


SOURCE = """
import torch
from dataclasses import dataclass
@dataclass
class GPTConfig:
    block_size: int
    vocab_size: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float
    bias: bool
class Descent:  # importing torch's optimizers takes seconds
    def __init__(self, model):
        self.model, self.param_groups = model, [{"lr": 0.0}]
    def step(self):
        for weight in self.model.parameters():
            weight.data -= 1000 * self.param_groups[0]["lr"] * weight.grad
    def zero_grad(self, set_to_none):
        self.model.zero_grad(set_to_none)
class GPT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        print("number of parameters")
        self.table = torch.nn.Embedding(config.vocab_size, config.vocab_size)
    def configure_optimizers(self, weight_decay, learning_rate, betas, device_type):
        return Descent(self)
    def forward(self, ids, targets=None):
        logits = self.table(ids)
        return logits, torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.view(-1))
"""


def test_the_code_of_a_repository_is_trained_and_scored_silently(capsys):
    code = nano_gpt.model_code(SOURCE.encode())
    shape = nano_gpt.Shape(layers=1, heads=1, width=8, context=16)
    stream = np.tile(np.array([2, 3, 4], np.uint16), 200)
    torch.manual_seed(0)
    predictor, update = nano_gpt.recipe(code, shape)(stream, 5)
    (before,) = predictor.nats([stream[:50]])
    assert before.shape == (49,)
    for _ in range(30):
        update(0.05)
    (after,) = predictor.nats([stream[:50]])
    assert after.mean() < before.mean()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x = 1\n" * 5, True),
        ("a" * 2001, False),
        ("a" * 201, False),
        ("1, 2, 3\n" * 5, False),
        ("\n", True),
    ],
)
def test_datatrove_is_given_the_limits_of_charmill(text, kept):
    assert datatrove_pipeline.fits(text) == kept
    ours = TextRules.model_fields
    assert ours["max_line"].default == datatrove_pipeline.MAX_LINE
    assert ours["max_mean_line"].default == datatrove_pipeline.MAX_MEAN_LINE
    assert ours["min_letters"].default == datatrove_pipeline.MIN_LETTERS


def test_a_program_that_had_something_to_do_is_no_measurement(tmp_path):
    echo = idle.Program(command=["echo", "up to date"], folder=tmp_path, says=b"up to date")
    spent = idle.spend(echo, {})
    assert 0 < spent.wall < 60
    with pytest.raises(TrialError, match=r"^echo Running stage"):
        idle.spend(idle.Program(command=["echo", "Running stage"], folder=tmp_path, says=b"up"), {})
    with pytest.raises(TrialError, match=r"^false"):
        idle.spend(idle.Program(command=["false"], folder=tmp_path), {})


def test_a_pipeline_of_dvc_copies_stage_after_stage(tmp_path, monkeypatch):
    dvc = tmp_path / "dvc"
    dvc.write_text("#!/bin/sh\necho $1 $DVC_NO_ANALYTICS >> asked\n")
    dvc.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    folders = {"fetch": tmp_path / "o'clock: #1", "corpus": tmp_path / "b", "train": tmp_path / "c"}
    idle.lay(tmp_path / "pipeline", folders, {"DVC_NO_ANALYTICS": "true"})
    assert (tmp_path / "pipeline" / "asked").read_text() == "init true\nrepro true\n"
    stages = yaml.safe_load((tmp_path / "pipeline" / "dvc.yaml").read_text())["stages"]
    assert [stages[name].get("deps") for name in folders] == [None, ["fetch"], ["corpus"]]
    folders["fetch"].mkdir()
    subprocess.run(stages["fetch"]["cmd"], shell=True, check=True, cwd=tmp_path)
    assert (tmp_path / "fetch").is_dir()


def test_idle_figures_are_medians_with_their_range():
    spent = {"dvc repro": [idle.Spent(wall, wall / 2) for wall in (3.0, 1.0, 8.0)]}
    assert idle.figures(spent) == {
        "dvc repro, wall": 3.0, "dvc repro, wall, least": 1.0, "dvc repro, wall, most": 8.0,
        "dvc repro, cpu": 1.5, "dvc repro, cpu, least": 0.5, "dvc repro, cpu, most": 4.0,
    }  # fmt: skip

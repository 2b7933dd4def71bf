"""Training on a GPU: the same as on the CPU, without waiting for the host, and resumable."""

import dataclasses
import gc
import itertools
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from modeling.config import train_config_with
from modeling.engines.batches import Batches
from modeling.engines.cuda_graphs import WARM_UP
from modeling.engines.inputs import Inputs
from modeling.engines.learner import Learner
from modeling.errors import CapacityError
from modeling.inference.dynamic_evaluation import dynamic_surprisals
from modeling.inference.likelihood import bits_of_documents
from modeling.models.lstm import Layer
from modeling.training.job import TrainingJob
from modeling.training.throughput import measure
from modeling.training.trainer import Trainer
from modeling.vocab import MARK_ID
from tests.modeling.chunks import distances

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    # Torch 2.9 to 2.12 warns about its older switches for TF32, which set the newer ones.
    pytest.mark.filterwarnings("ignore:Please use the new API settings to control TF32"),
]
CPU, GPU = torch.device("cpu"), torch.device("cuda")
STREAMS = 4


@pytest.fixture(autouse=True)
def _leave_precision_as_it_was():
    allowed, precision = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    yield
    torch.backends.cudnn.allow_tf32 = allowed
    torch.set_float32_matmul_precision(precision)


def without_tf32():
    """Disable TF32; to be called after creating a learner for a GPU, which enables it."""
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")


@pytest.fixture
def make(config, vocabulary, stream):
    def make(device=GPU, text=stream, **changes):
        changed = dataclasses.replace(config, **{"precision": "float32"} | changes)
        learner = Learner(changed, vocabulary.size, STREAMS, device, text=text)
        without_tf32()
        return learner

    return make


@pytest.fixture
def still(config):
    """The configuration without random draws: the devices have different generators."""
    return dataclasses.replace(config.model, dropout=0.0, ngram_dropout=0.0)


def chunks(stream, count):
    batches = Batches(stream, batch_size=STREAMS, chunk_length=16, jump_probability=0.3)
    return [batches.next(step, jump=True) for step in range(count)]


def losses(learner, batches):
    return torch.stack([learner.update(b, 0.005, i)[0] for i, b in enumerate(batches)]).cpu()


def test_loss_and_gradients_are_those_of_the_processor(make, still, stream, monkeypatch):
    monkeypatch.setenv("CHARMILL_NATIVE", "0")
    trained = make(CPU, model=still)
    losses(trained, chunks(stream, 20))
    start, batch = trained.tensors(), chunks(stream, 21)[-1]
    outcomes = []
    for device in (CPU, GPU):
        learner = make(device, model=still)
        learner.load(start)
        figures = learner.update(batch, 0.005, 0)
        gradients = [weight.grad for weight in learner.model.dense_parameters()]
        places, gradient = learner.model.ngrams.gradient()
        outcomes.append([t.detach().cpu() for t in (figures, gradient, places, *gradients)])
    assert torch.equal(outcomes[0].pop(2), outcomes[1].pop(2))
    assert max(distances(*outcomes)) < 1e-4


def test_a_run_of_updates_is_that_of_the_processor(make, still, stream, monkeypatch):
    monkeypatch.setenv("CHARMILL_NATIVE", "0")
    batches = chunks(stream, 30)
    ours, wanted = (losses(make(device, model=still), batches) for device in (GPU, CPU))
    torch.testing.assert_close(ours, wanted, rtol=5e-3, atol=0)
    assert wanted[-5:].mean() < 0.9 * wanted[:5].mean()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "sent"])
def test_a_recorded_update_is_one_of_plain_launches(make, stream, precision, kept, caplog):
    """Including dropout: another mask would change a loss by several per cent."""
    text = stream if kept else None
    recorded, plain = (make(text=text, precision=precision) for _ in range(2))
    plain._captured = None
    batches = chunks(stream, 20)
    tolerance = 1e-3 if precision == "float32" else 2e-2
    torch.testing.assert_close(
        losses(recorded, batches), losses(plain, batches), rtol=tolerance, atol=0
    )
    assert recorded._captured.recorded, caplog.text
    assert torch.equal(recorded.model.ngrams.table[-1].cpu(), torch.zeros(8))


def test_no_dropout_mask_comes_twice(make, stream):
    learner, batch = make(), chunks(stream, 1)[0]
    learner.update(batch, 0.0, 0)
    start = learner.tensors()
    found = []
    for seed in (1, 2, 3, 4, 5, 4, 5):
        learner.load(start)
        found.append(float(learner.update(batch, 0.0, seed)[0]))
    assert len(set(np.round(found[:5], 3))) == 5
    assert found[5:] == pytest.approx(found[3:5], rel=1e-4)


@contextmanager
def no_waiting():
    """Make every call fail that waits for the device."""
    with warnings.catch_warnings():
        # According to torch, it does not detect all of them.
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "plain"])
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "sent"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_update_never_waits_for_the_device(make, stream, recorded, kept, precision):
    learner = make(text=stream if kept else None, precision=precision)
    if not recorded:
        learner._captured = None
    batches = chunks(stream, WARM_UP + 6)
    losses(learner, batches[: WARM_UP + 1])
    with no_waiting():
        late = [learner.update(batch, 0.005, 9) for batch in batches[WARM_UP + 1 :]]
    assert torch.stack(late).isfinite().all()


def test_waiting_would_be_noticed():
    value = torch.ones(3, device=GPU)
    with no_waiting(), pytest.raises(RuntimeError, match="synchroniz"):
        value.sum().item()


def test_what_a_gpu_cuts_out_is_what_the_host_would(vocabulary, stream):
    batches = Batches(stream, batch_size=7, chunk_length=16, jump_probability=0.3)
    for text in (stream, None):
        inputs = Inputs(7, vocabulary.size, GPU, text)
        for step in range(200):
            batch = batches.next(step, jump=True)
            inputs.put(batch)
            wanted = (batch.ids, batch.targets, batch.carried)
            assert all(a.cpu().equal(b) for a, b in zip(inputs.cut(), wanted, strict=True))


def test_a_killed_training_ends_close_to_a_straight_one(config, vocabulary, stream, documents):
    config = train_config_with(config, {"budget": "6epochs", "precision": "float32"})

    def trainer(checkpoint=None):
        return Trainer(
            TrainingJob(
                config=config, vocabulary=vocabulary, stream=stream, validation=documents[:4]
            ),
            device=GPU,
            checkpoint=checkpoint,
        )

    straight = trainer()
    records = list(straight.run())
    first = trainer()
    list(itertools.islice(first.run(), 5))
    resumed = trainer(first.checkpoint())
    rest = list(resumed.run())
    assert (rest[-1].step, rest[-1].characters) == (records[-1].step, records[-1].characters)
    assert rest[0].step == records[5].step
    assert rest[0].train_bits == pytest.approx(records[5].train_bits, rel=0.01)
    assert rest[-1].validation_bits == pytest.approx(records[-1].validation_bits, rel=0.03)
    assert records[-1].train_bits < 0.7 * records[0].train_bits


def test_a_trained_model_scores_and_adapts_as_on_the_processor(
    config, vocabulary, stream, documents
):
    config = train_config_with(config, {"precision": "float32"})
    trainer = Trainer(
        TrainingJob(config=config, vocabulary=vocabulary, stream=stream, validation=documents[:4]),
        device=GPU,
    )
    without_tf32()
    list(trainer.run())
    model = trainer.best_model()
    on_gpu = bits_of_documents(model, vocabulary, documents[:4])
    adapted = [bits.sum() for bits in dynamic_surprisals(model, vocabulary, documents[:2])]
    model = model.cpu()
    np.testing.assert_allclose(
        on_gpu, bits_of_documents(model, vocabulary, documents[:4]), rtol=1e-3
    )
    wanted = [bits.sum() for bits in dynamic_surprisals(model, vocabulary, documents[:2])]
    np.testing.assert_allclose(adapted, wanted, rtol=1e-2)


def test_a_layer_under_autocast_is_not_of_float16():
    torch.manual_seed(0)
    layer = Layer(64, 128).to(GPU)
    values = torch.randn(20, 16, 64, device=GPU)
    state = torch.zeros(2, 1, 16, 128, device=GPU).unbind()
    outcomes = []
    for rounded in (True, False):
        layer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=rounded):
            written, _ = layer(values, state)
        assert written.dtype != torch.float16
        written.float().square().sum().backward()
        outcomes.append([written.detach(), *(weight.grad for weight in layer.parameters())])
    assert max(distances(*outcomes)) < 0.03


def test_a_batch_too_large_for_a_gpu_is_answered_with_one_that_fits(config, vocabulary):
    streams, length = 8192, 1024
    large = dataclasses.replace(config, batch_size=streams, chunk_length=length)
    text = np.random.default_rng(0).integers(1, vocabulary.size, streams * length)
    text = text.astype(np.uint16)
    text[::5000] = MARK_ID
    batch = Batches(text, batch_size=streams, chunk_length=length).next(0)
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.02)
    try:
        learner = Learner(large, vocabulary.size, streams, GPU, text=text)
        with pytest.raises(CapacityError, match=r"8192 .* does not fit .*; batch_size \d+ would"):
            learner.update(batch, 0.005, 0)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def test_the_speed_of_a_gpu_is_measured_with_updates_under_way(config, vocabulary):
    found = measure(config, vocabulary.size, GPU, seconds=0.5)
    assert found.characters_per_second > 1_000

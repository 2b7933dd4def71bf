"""Our bits equal those that a compressor driven by the model spends."""

import itertools

import numpy as np
import torch

from modeling.inference.likelihood import surprisals
from modeling.vocab import SPECIALS

PRECISION = 32
WHOLE = 1 << PRECISION
HALF, QUARTER = WHOLE // 2, WHOLE // 4
TOTAL = 1 << 24


def frequencies(logits):
    """Whole numbers that sum to TOTAL, none of them 0, in proportion to softmax(logits)."""
    probabilities = logits.double().softmax(0).numpy()
    counts = 1 + np.floor(probabilities * (TOTAL - len(probabilities))).astype(np.int64)
    counts[counts.argmax()] += TOTAL - counts.sum()
    return np.concatenate([[0], counts.cumsum()]).tolist()


def next_frequencies(stepper, character):
    return frequencies(stepper.step(torch.tensor([int(character)]))[0])


def encode(model, document):
    """Arithmetic coding of what follows the mark (Witten, Neal & Cleary 1987)."""
    low, high, pending, bits = 0, WHOLE - 1, 0, []

    def put(bit):
        nonlocal pending
        bits.extend([bit] + [1 - bit] * pending)
        pending = 0

    stepper = model.stepper(1)
    for here, after in itertools.pairwise(document):
        table = next_frequencies(stepper, here)
        width = high - low + 1
        low, high = (
            low + width * table[after] // TOTAL,
            low + width * table[after + 1] // TOTAL - 1,
        )
        while True:
            if high < HALF:
                put(0)
            elif low >= HALF:
                put(1)
                low, high = low - HALF, high - HALF
            elif low >= QUARTER and high < 3 * QUARTER:
                pending += 1
                low, high = low - QUARTER, high - QUARTER
            else:
                break
            low, high = 2 * low, 2 * high + 1
    pending += 1
    put(int(low >= QUARTER))
    return bits


def decode(model, bits, mark, length):
    stream = iter(bits)
    value = 0
    for _ in range(PRECISION):
        value = 2 * value + next(stream, 0)
    low, high, document = 0, WHOLE - 1, [mark]
    stepper = model.stepper(1)
    while len(document) < length:
        table = next_frequencies(stepper, document[-1])
        width = high - low + 1
        place = ((value - low + 1) * TOTAL - 1) // width
        after = int(np.searchsorted(table, place, side="right")) - 1
        document.append(after)
        low, high = (
            low + width * table[after] // TOTAL,
            low + width * table[after + 1] // TOTAL - 1,
        )
        while high < HALF or low >= HALF or (low >= QUARTER and high < 3 * QUARTER):
            shift = 0 if high < HALF else HALF if low >= HALF else QUARTER
            low, high = 2 * (low - shift), 2 * (high - shift) + 1
            value = 2 * (value - shift) + next(stream, 0)
    return np.array(document, np.uint16)


def test_an_arithmetic_coder_spends_the_bits_that_we_charge(model, vocabulary, documents):
    known = [document for document in documents if document[1:].min() >= SPECIALS]
    for document in sorted(known, key=len)[-2:]:
        bits = encode(model, document)
        charged = dict(surprisals(model, vocabulary, [document]))[0].sum()
        assert abs(len(bits) - charged) <= 2 + 0.01 * charged
        decoded = decode(model, bits, document[0], len(document))
        np.testing.assert_array_equal(decoded, document)

"""Compressors as a separate class of baseline: they adapt to the held-out text as they read it.

Bits are what the concatenated held-out files add to the compressed size of the training text
(primed), or their compressed size alone (unprimed). A static model cannot exploit a file that
repeats itself as a compressor can, so the two classes are never ranked in one list.

Sizes are whole bytes; a zero byte precedes every file. On one core xz -9e takes 1.4 s per MB and
reads the training text twice, zstd 0.4 s, PPMd 0.25 s (order 6) and 0.45 s (order 16), on two
threads.
"""

import lzma
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyppmd
import zstandard

from evaluation.baselines.ladder import HeldOut
from evaluation.results import LadderRow

PPMD_ORDERS = (6, 16)
PPMD_BYTES = 2**29
"""Memory of a PPMd model, which restarts when it is full. 8 MB of Java fit."""
THREADS = 2
ZSTD_LEVEL = 22
MIN_DICTIONARY = 2**12
"""Bytes; the smallest dictionary that xz accepts."""

Size = Callable[[bytes, bytes], int]
"""Bytes that the second text adds to the first, compressed."""


def compressor_rows(
    train: Sequence[str], test: Sequence[str], held_out: HeldOut
) -> Iterator[LadderRow]:
    """Bits of every compressor, unprimed and primed with the training texts.

    Args:
        train: texts to prime with.
        test: the texts that `held_out` counts.
    """
    before, after = _joined(train), _joined(test)
    compressors = (("xz -9e", xz_bytes), (f"zstd -{ZSTD_LEVEL}", zstd_bytes), *_ppmds())
    with ThreadPoolExecutor(THREADS) as pool:
        sizes = {
            label: pool.submit(size, primer, after)
            for name, size in compressors
            for label, primer in ((f"{name}, unprimed", b""), (name, before))
        }
    for label, size in sizes.items():
        bits = 8 * size.result()
        yield LadderRow(
            name=label,
            kind="adaptive",
            bits_per_char=float(bits / held_out.characters.sum()),
            bits_per_byte=float(bits / held_out.utf8_bytes.sum()),
        )


def xz_bytes(before: bytes, after: bytes) -> int:
    """Bytes that `after` adds to `before` under xz -9e, with a dictionary that spans both."""
    span = max(len(before) + len(after), MIN_DICTIONARY)
    extreme = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}
    chain = [extreme | {"dict_size": 1 << (span - 1).bit_length()}]

    def size(data: bytes) -> int:
        return len(lzma.compress(data, format=lzma.FORMAT_RAW, filters=chain))

    return size(before + after) - (size(before) if before else 0)


def zstd_bytes(before: bytes, after: bytes) -> int:
    """Bytes of `after` under zstd with `before` as dictionary; the window spans up to 128 MB."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        ZSTD_LEVEL,
        source_size=len(before) + len(after),
        write_content_size=False,
        write_dict_id=False,
    )
    raw = zstandard.ZstdCompressionDict(before, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    compressor = zstandard.ZstdCompressor(
        compression_params=parameters, dict_data=raw if before else None
    )
    return len(compressor.compress(after))


def ppmd_bytes(order: int, before: bytes, after: bytes) -> int:
    """Bytes that `after` adds to `before` under PPMd (variant H) of that order."""
    encoder = pyppmd.Ppmd7Encoder(order, PPMD_BYTES)
    encoder.encode(before)
    return len(encoder.encode(after)) + len(encoder.flush())


def _ppmds() -> Iterator[tuple[str, Size]]:
    for order in PPMD_ORDERS:
        yield f"PPMd {order}", lambda before, after, order=order: ppmd_bytes(order, before, after)


def _joined(texts: Sequence[str]) -> bytes:
    return b"".join(b"\0" + text.encode("utf-8", "surrogatepass") for text in texts)

"""A small body of text for all tests of the engine."""

from collections import Counter

from modeling.vocab import Ids, Vocabulary

TEXTS = [
    "".join(f"def f{i}(x):\n    return x + {i * j}\n" for j in range(1 + 3 * (i % 5)))
    for i in range(12)
]


def vocabulary() -> Vocabulary:
    """Every character of the texts."""
    return Vocabulary.from_counts(Counter("".join(TEXTS)), min_count=1)


def documents() -> list[Ids]:
    """The encoded texts, each preceded by its mark."""
    return vocabulary().encode_documents(TEXTS)

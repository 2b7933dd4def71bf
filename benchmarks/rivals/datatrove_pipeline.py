"""datatrove's steps for a folder of source files: read, filter, drop near-copies, write Parquet.

    PYTHON datatrove_pipeline.py TREE EXTENSION OUT

PYTHON needs datatrove, pyarrow, regex, orjson, tokenizers and xxhash before version 4 (datatrove
0.10 gives it text, which later ones refuse), and nothing of charmill. The settings are datatrove's
defaults: 14 bands of 8 permutations over shingles of 5 words. Words are split at blanks, which is
the fastest; its own tokenizers would load a library for natural language.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MAX_BYTES, MAX_LINE, MAX_MEAN_LINE, MIN_LETTERS = 1_000_000, 2_000, 200, 0.2
"""Those of charmill."""


def fits(text: str) -> bool:
    """Whether charmill's limits of lines and letters would keep a text."""
    lines = text.split("\n")
    if max(map(len, lines)) > MAX_LINE or len(text) / len(lines) > MAX_MEAN_LINE:
        return False
    letters = sum(map(str.isalpha, text))
    return letters >= MIN_LETTERS * (len(text) - sum(map(str.isspace, text)))


def main(tree: str, extension: str, out: str) -> None:
    """Run the four stages, one task each at a time, in this process."""
    from datatrove.executor import (  # pyright: ignore[reportMissingImports]
        LocalPipelineExecutor,
    )
    from datatrove.pipeline.dedup import (  # pyright: ignore[reportMissingImports]
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import (  # pyright: ignore[reportMissingImports]
        MinhashConfig,
    )
    from datatrove.pipeline.filters import LambdaFilter  # pyright: ignore[reportMissingImports]
    from datatrove.pipeline.readers import ParquetReader  # pyright: ignore[reportMissingImports]
    from datatrove.pipeline.writers import ParquetWriter  # pyright: ignore[reportMissingImports]

    config = MinhashConfig()
    signatures = MinhashDedupSignature(f"{out}/signatures", config, language=at_blanks())
    stages: list[tuple[list[Any], int]] = [
        (
            [
                documents(tree, extension),
                LambdaFilter(lambda document: fits(document.text)),
                ParquetWriter(f"{out}/clean"),
                signatures,
            ],
            1,
        ),
        (
            [MinhashDedupBuckets(f"{out}/signatures", f"{out}/buckets", config=config)],
            config.num_buckets,
        ),
        ([MinhashDedupCluster(f"{out}/buckets", f"{out}/removed", config=config)], 1),
        (
            [
                ParquetReader(f"{out}/clean"),
                MinhashDedupFilter(f"{out}/removed"),
                ParquetWriter(f"{out}/kept", compression="zstd"),
            ],
            1,
        ),
    ]
    for number, (steps, tasks) in enumerate(stages):
        LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=f"{out}/log{number}").run()


def at_blanks() -> Any:
    """A tokenizer of datatrove that splits at blanks."""
    from datatrove.utils.word_tokenizers import (  # pyright: ignore[reportMissingImports]
        WordTokenizer,
    )

    class Words(WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

        def sent_tokenize(self, text: str) -> list[str]:
            return text.splitlines()

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [(0, len(text))]

    return Words()


def documents(tree: str, extension: str) -> Callable[..., Iterator[Any]]:
    """A first step that reads all files of a folder that are text of a proper size."""
    from datatrove.data import Document  # pyright: ignore[reportMissingImports]

    def read(_: object, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        for path in sorted(Path(tree).rglob(f"*{extension}")):
            if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
                continue
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            if text:
                yield Document(text=text, id=str(path))

    return read


if __name__ == "__main__":
    main(*sys.argv[1:4])

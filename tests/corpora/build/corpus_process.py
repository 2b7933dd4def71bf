"""Build a corpus in a separate process: python corpus_process.py KIND PLACE FOLDER WORKERS.

Batches and shards are small, so that several workers have something to share.
"""

import sys
from pathlib import Path

from corpora.build.corpus import BuildSizes, build_corpus
from corpora.sources import FolderSource, GitSource
from corpora.spec import CorpusSpec, SplitSpec

SPEC = CorpusSpec(extensions=(".py",), split=SplitSpec(validation=0.2, test=0.2))


def main(kind: str, place: str, folder: Path, workers: int) -> None:
    """Fetch into FOLDER/fetch, build into FOLDER/corpus."""
    if kind == "git":
        source = GitSource.model_validate(
            {"kind": "git", "repositories": [{"url": place, "name": "code"}]}
        )
    else:
        source = FolderSource(kind="folder", path=place)
    fetched, corpus = folder / "fetch", folder / "corpus"
    fetched.mkdir(parents=True)
    corpus.mkdir()
    list(source.fetch(source.resolve(), fetched))
    sizes = BuildSizes(batch_bytes=10_000, shard_bytes=10_000)
    list(build_corpus(source.open(fetched), SPEC, corpus, workers=workers, sizes=sizes))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))

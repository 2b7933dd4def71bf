import json
from dataclasses import asdict

import pandas as pd
import pytest

from corpora.corpus.ledger import compare, content_changed, rows_of
from corpora.errors import CorpusError
from corpora.sources import GithubAccountSource, GitSource
from tests.corpora.build.test_corpus import built, line, plain


def test_a_file_is_found_by_its_path_with_and_without_its_source(tmp_path):
    directory = built(tmp_path, plain())
    assert rows_of(directory, "f3.py") == rows_of(directory, "s/f3.py")
    assert rows_of(directory, "f3.py")[0]["decision"] == "kept"


def test_a_file_that_was_not_seen_is_refused_with_files_of_that_name(tmp_path):
    directory = built(tmp_path, plain() | {"deep/x.py": b"x = 1"})
    with pytest.raises(CorpusError, match=r"x.py: no such file was seen; .*: s/deep/x.py"):
        rows_of(directory, "other/x.py")


def test_two_corpora_are_compared_file_by_file(tmp_path):
    old = built(tmp_path, plain() | {"gone.py": b"g = 1", "big.py": b"b" * 90}, "old")
    files = plain() | {"new.py": b"n = 1", "big.py": b"b" * 90, "f5.py": line("f", 5).swapcase()}
    new = built(tmp_path, files, "new", max_bytes=50)
    found = compare(old, new)
    assert found.added == ["s/new.py"]
    assert found.removed == ["s/gone.py"]
    assert found.decisions == [("s/big.py", "kept", "too large")]
    assert found.changed == ["s/f5.py"]
    assert {name for name, _, _ in found.moved} <= {"s/f5.py"}
    assert found.kept == (62, 61)
    assert json.loads(json.dumps(asdict(found)))["kept"] == [62, 61]
    assert found.reasons == {"too large": (0, 1)}
    assert found.kept_bytes[0] - found.kept_bytes[1] == 90


def test_a_permalink_names_the_commit_and_quotes_the_path():
    urls = ["https://github.com/a/b.git", "https://gitlab.com/c/d", "/local/e"]
    source = GitSource.model_validate(
        {"kind": "git", "repositories": [{"url": url} for url in urls]}
    )
    found = {"b": "1" * 40, "d": "2" * 40, "e": "3" * 40}
    assert source.permalink(found, "b", "x y.c") == (
        f"https://github.com/a/b/blob/{'1' * 40}/x%20y.c"
    )
    assert source.permalink(found, "d", "z.c") == f"https://gitlab.com/c/d/-/blob/{'2' * 40}/z.c"
    assert source.permalink(found, "e", "z.c") is None
    account = GithubAccountSource(kind="github_account", account="a")
    found = {"a/b": "4" * 40}
    assert account.permalink(found, "b", "z.c") == f"https://github.com/a/b/blob/{'4' * 40}/z.c"
    assert account.permalink(found, "c", "z.c") is None


BLOB, OTHER = "a" * 40, "b" * 40


def row(**values):
    return {"sha256": "", "handle": "0", "bytes": 9} | values


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (row(sha256="x", handle="512"), row(sha256="x", handle="2048"), False),
        (row(sha256="x"), row(sha256="y"), True),
        (row(handle="512"), row(handle="2048"), False),
        (row(), row(bytes=10), True),
        (row(handle=BLOB), row(handle=OTHER), True),
        (row(handle=BLOB), row(handle=BLOB), False),
    ],
)
def test_a_file_changed_if_its_content_did_wherever_it_stands(old, new, changed):
    assert list(content_changed(pd.DataFrame([old]), pd.DataFrame([new]))) == [changed]

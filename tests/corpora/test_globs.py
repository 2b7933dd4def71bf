import time

import pytest
from pathspec import GitIgnoreSpec
from pydantic import TypeAdapter, ValidationError

from corpora.globs import Glob

ADAPTER = TypeAdapter(Glob)
LONGEST_NAME, DEEPEST_PATH = "a" * 255, "/".join("a" * 1_000)


@pytest.mark.parametrize(
    "pattern", ["*a*a*b", "*a*a*a*a*a*a*a*b", "x/*a*a*b/y", "**/a/**/a/**/b", "a/**/b/**/**/c"]
)
def test_a_pattern_whose_time_grows_with_a_cube_is_refused(pattern):
    with pytest.raises(ValidationError, match="at most 2 wildcards"):
        ADAPTER.validate_python(pattern)


@pytest.mark.parametrize("pattern", ["!", "a/[z-a]x\\"])
def test_what_is_no_pattern_is_one_line(pattern):
    try:
        GitIgnoreSpec.from_lines([pattern])
    except ValueError:
        with pytest.raises(ValidationError, match="is not a gitignore pattern"):
            ADAPTER.validate_python(pattern)
    else:
        assert ADAPTER.validate_python(pattern) == pattern


@pytest.mark.parametrize(
    "pattern", ["*.py", "/src/", "test_*_*.py", "**/tests/**", "!/a/*", "*a*b", "**/a/**/b", "**"]
)
def test_a_common_pattern_is_taken_and_fast(pattern):
    assert ADAPTER.validate_python(pattern) == pattern
    spec, started = GitIgnoreSpec.from_lines([pattern]), time.process_time()
    for path in (LONGEST_NAME, DEEPEST_PATH):
        spec.match_file(path)
    assert time.process_time() - started < 5

"""A mark for tests of the native kernel: with a compiler at hand they must run and pass."""

import os
import shlex
import shutil

import pytest

_NAME = shlex.split(os.environ.get("CC", "cc"))[0]

needs_compiler = pytest.mark.skipif(shutil.which(_NAME) is None, reason=f"no compiler {_NAME}")

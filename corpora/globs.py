"""Gitignore-style patterns of datasets, refused where matching one could take for ever."""

import re
from typing import Annotated

from pathspec import GitIgnoreSpec
from pydantic import AfterValidator

MAX_STARS = 2
"""Runs of "*" in a name, and "**" in a path, but for one at the end.

Each further one multiplies the time by the length of the path: three took 0.9 s for one name of 255
characters, and 13 s for one path of 1,000 folders.
"""


def _checked(pattern: str) -> str:
    names = pattern.strip("/").removesuffix("/**").split("/")
    most = max(len(re.findall(r"\*+", name.rstrip("*"))) for name in names)
    if most > MAX_STARS or names.count("**") > MAX_STARS:
        raise ValueError(
            f"{pattern!r}: at most {MAX_STARS} wildcards * in a name and {MAX_STARS} ** in a path "
            "are allowed, besides one at the end"
        )
    try:
        GitIgnoreSpec.from_lines([pattern])
    except ValueError as error:
        raise ValueError(f"{pattern!r} is not a gitignore pattern: {error}") from None
    return pattern


Glob = Annotated[str, AfterValidator(_checked)]

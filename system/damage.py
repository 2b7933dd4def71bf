"""Files that were damaged, or written by another version, as one line for the user."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from system.errors import CharmillError

UNREADABLE = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError),
    *(ArithmeticError, RuntimeError, MemoryError),
)
"""What parsers raise for damaged input: those of pyarrow, pydantic and json, of torch and tarfile.

RuntimeError includes RecursionError, for nesting that is too deep.
"""

OWN_PACKAGES = ("corpora", "evaluation", "flows", "modeling", "system")


def is_own_bug(error: Exception) -> bool:
    """Whether our code raised an exception, rather than a library that it called.

    A library raises a ValueError or TypeError for damaged input; our own code, by mistake.
    """
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    module = frame.tb_frame.f_globals.get("__name__", "") if frame else ""
    return module.partition(".")[0] in OWN_PACKAGES


@contextmanager
def explaining_damage(
    path: Path, error: type[CharmillError], advice: str, also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn what a parser raises about `path` into `error`.

    The block must do nothing but parse: a bug of ours in it would pass for damage.

    Args:
        advice: how to get an intact file; ends the message.
        also: exceptions of this parser that are of none of the usual kinds.
    """
    try:
        yield
    except CharmillError:
        raise
    except (*UNREADABLE, *also) as problem:
        system = problem.strerror if isinstance(problem, OSError) else None
        reason = system or str(problem).strip().partition("\n")[0] or type(problem).__name__
        raise error(f"{path}: damaged, or of another version: {reason}; {advice}") from None

"""The command line of a benchmark: its help is the docstring of the module, as it is written."""

import argparse


def command_line(module: str, description: str | None) -> argparse.ArgumentParser:
    """A parser without arguments for `python -m MODULE`."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

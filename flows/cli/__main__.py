"""`python -m flows.cli` is `charmill`."""

from flows.cli.main import main

main()

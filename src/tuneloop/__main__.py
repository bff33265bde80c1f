"""`python -m tuneloop`."""

from tuneloop.cli import main

main()

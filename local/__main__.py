"""`python -m local`: see `local.cli`."""

from local.cli import main

main()

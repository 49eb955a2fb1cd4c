"""`python -m soilmeld`: the command line."""

from soilmeld.cli import main

main()

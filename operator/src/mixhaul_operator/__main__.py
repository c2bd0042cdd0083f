"""`python -m mixhaul_operator`."""

from mixhaul_operator.cli import main

main()

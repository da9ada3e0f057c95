"""`python -m kalam_pg` is `kalam`."""

from kalam_pg.cli import main

main()

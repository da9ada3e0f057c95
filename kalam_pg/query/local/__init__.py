"""Small questions, answered in this process by a program of `kalam_pg.interpreter`."""

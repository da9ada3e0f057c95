"""The drivers, how their programs are run, and whether they can be here."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PROGRAMS: Final = HERE / "programs"
MODULES: Final = HERE / "node_modules"
"""npm ci --prefix conformance/live"""


@dataclass(frozen=True, slots=True)
class Driver:
    """One program. It finds the server by libpq's variables and takes the table's name.

    missing: what is to be installed before it can run, or nothing.
    """

    name: str
    command: tuple[str, ...]
    missing: str = ""


def _python(name: str) -> Driver:
    return Driver(name, (sys.executable, str(PROGRAMS / f"{name}_follow.py")))


def _node(name: str, package: str) -> Driver:
    node = shutil.which("node")
    missing = "" if node else "nodejs"
    if not (MODULES / package).is_dir():
        missing = "npm ci --prefix conformance/live"
    program = PROGRAMS / f"{name.replace('-', '_')}_follow.js"
    return Driver(name, (node or "node", str(program)), missing)


def _java(name: str, jar: str) -> Driver:
    java = shutil.which("java")
    missing = "" if java else "default-jdk-headless"
    if not Path(jar).is_file():
        missing = "libpostgresql-jdbc-java"
    program = PROGRAMS / f"{name}_follow.java"
    return Driver(name, (java or "java", "-cp", jar, str(program)), missing)


DRIVERS: Final = {
    driver.name: driver
    for driver in (
        _python("psycopg"),
        _python("asyncpg"),
        _python("pg8000"),
        _python("psql"),
        _node("node-postgres", "pg"),
        _node("postgres-js", "postgres"),
        _java("pgjdbc", "/usr/share/java/postgresql.jar"),
    )
}

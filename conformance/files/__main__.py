"""Statement files beside PostgreSQL 15, counted.

Usage: python -m conformance.files [--setup FILE] [--data DIRECTORY] [--differences FILE] PATH…

PATH is a psql script (`.sql`: PostgreSQL's own regression tests, for example) or an sqllogictest file
(`.slt`, `.test`), or a directory of them. Each runs in a database of its own, which begins with what the
setup file makes. Prints a line for each file, what is refused most, and what is different; ends with 1
if there was an internal error.

`--setup test_setup.sql --data DIRECTORY/OF/data` prepares PostgreSQL's regression tests: tables whose
loading is refused here get PostgreSQL's rows.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from conformance.files.counting import DIFFERENT, INTERNAL, REFUSED, SAME, Counts
from conformance.files.link import Link
from conformance.files.running import Run
from tests.wire import postgresql
from tests.wire.server import KalamServer

_SUFFIXES = {".sql", ".slt", ".test"}


@dataclass
class Bench:
    """Both servers as they are after the setup."""

    cluster: str
    directory: Path
    variables: dict[str, str]

    @property
    def prepared(self) -> Path:
        return self.directory / "prepared"

    def prepare(self, setup: Path | None, differences: list[str]) -> None:
        """Make the database and the data directory that every file begins with."""
        with psycopg.connect(self.cluster, autocommit=True) as connection:
            connection.execute("CREATE DATABASE prepared")
        server = KalamServer(self.prepared).start()
        try:
            theirs, ours = self._links("prepared", server)
            if setup is not None:
                show = differences.append
                run = Run("setup", theirs, ours, show, variables=self.variables, setup=True)
                run.file(setup)
            theirs.close()
            ours.close()
        finally:
            server.stop()

    def run(self, path: Path, differences: list[str]) -> Counts:
        """One file, from what was prepared."""
        data = self.directory / "running"
        shutil.copytree(self.prepared, data, ignore=_sockets)
        with psycopg.connect(self.cluster, autocommit=True) as connection:
            connection.execute("CREATE DATABASE running TEMPLATE prepared")
            before = _roles(connection)
            server = KalamServer(data).start()
            try:
                theirs, ours = self._links("running", server)
                run = Run(
                    path.stem, theirs, ours, differences.append, variables=dict(self.variables)
                )
                counts = run.file(path)
                theirs.close()
                ours.close()
            finally:
                server.stop()
                differences += [line for line in server.errors if "exception" in line]
                shutil.rmtree(data)
                connection.execute("DROP DATABASE running WITH (FORCE)")
                for role in _roles(connection) - before:
                    with _ignored():
                        connection.execute(f'DROP ROLE "{role}"')
        return counts

    def _links(self, database: str, server: KalamServer) -> tuple[Link, Link]:
        theirs = Link(self.cluster.replace("dbname=postgres", f"dbname={database}"))
        ours = Link(f"host={server.directory} port={server.port} user=root dbname=kalam")
        return theirs, ours


def _sockets(directory: str, names: list[str]) -> list[str]:
    """What cannot be copied."""
    return [name for name in names if (Path(directory) / name).is_socket()]


def _roles(connection: psycopg.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}


@contextmanager
def _ignored() -> Iterator[None]:
    """A role that owns something elsewhere stays."""
    try:
        yield
    except psycopg.Error:
        return


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted([p for p in path.rglob("*") if p.suffix in _SUFFIXES])
        else:
            yield path


def line(name: str, counts: Counts) -> str:
    """A file's row of the table."""
    v = counts.verdicts
    return (
        f"| {name} | {counts.statements} | {v[SAME]} | {v[REFUSED]} | {v[DIFFERENT]} | {v[INTERNAL]} "
        f"| {counts.share:.0f} % |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.files")
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--setup", type=Path)
    parser.add_argument("--data", type=Path, help="where the setup's COPY finds its files")
    parser.add_argument("--differences", type=Path, help="a file for all that is not the same")
    arguments = parser.parse_args()
    total = Counts()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="files")))
        variables = {}
        if arguments.data:
            shutil.copytree(arguments.data, directory / "source" / "data")
            variables["PG_ABS_SRCDIR"] = variables["abs_srcdir"] = str(directory / "source")
        bench = Bench(stack.enter_context(postgresql.running(directory)), directory, variables)
        differences: list[str] = []
        bench.prepare(arguments.setup, differences)
        print("| file | statements | same | refused | different | XX000 | same |")
        print("|---|---|---|---|---|---|---|")
        for path in _files(arguments.paths):
            counts = bench.run(path, differences)
            total.add(counts)
            print(line(path.stem, counts), flush=True)
            if arguments.differences:
                with arguments.differences.open("a") as file:
                    file.writelines([f"{told}\n" for told in differences])
                differences.clear()
    print(line("all", total))
    for title, kinds in (("refused", total.kinds), ("different", total.differences)):
        print(f"\n{title}:")
        for kind, number in kinds.most_common(150):
            print(f"{number:7} {kind}")
    return 1 if total.verdicts[INTERNAL] else 0


if __name__ == "__main__":
    sys.exit(main())

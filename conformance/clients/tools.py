"""The tools: what each is installed from, and which program here is run over it."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
JDBC = Path("/usr/share/java/postgresql.jar")
"""Where Debian's libpostgresql-jdbc-java has its driver."""


@dataclass(frozen=True, slots=True)
class Tool:
    """name: of the command. program: its file. pip, npm: packages; of `needs` programs and files.

    A program takes its connection from libpq's variables (PGHOST …) and prints what it saw.
    """

    name: str
    program: str
    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> str:
        """What is not on this machine and in no package registry, "" if all is here."""
        lost = [name for name in self.needs if not (shutil.which(name) or Path(name).exists())]
        return ", ".join(lost)

    def command(self, environment: Path) -> list[str]:
        """What runs the program, in the environment that `install` made."""
        path = str(PROGRAMS / self.program)
        if path.endswith(".py"):
            return [str(environment / "python" / "bin" / "python"), path]
        if path.endswith(".sh"):
            return ["bash", path]
        if path.endswith(".java"):
            return ["java", "-cp", str(JDBC), path]
        copied = environment / "node" / self.program
        shutil.copy(path, copied)  # Node looks for packages beside the program.
        return ["node", str(copied)]

    def install(self, environment: Path) -> None:
        """Its packages, by pip and npm as they are set up here."""
        if self.program.endswith(".py"):
            python = environment / "python"
            if not python.exists():
                subprocess.run([sys.executable, "-m", "venv", str(python)], check=True)
            pip = [str(python / "bin" / "pip"), "install", "-q", *self.pip]
            subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
        if self.npm:
            node = environment / "node"
            node.mkdir(parents=True, exist_ok=True)
            # No package's script is run: those that have one would fetch programs from elsewhere.
            npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
            npm += ["--prefix", str(node)]
            subprocess.run([*npm, *self.npm], check=True, stdout=subprocess.DEVNULL)


_PSYCOPG = "psycopg[binary]"

TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("sqlalchemy", "sqlalchemy_orm.py", ("sqlalchemy", _PSYCOPG)),
        Tool("alembic", "alembic_migrate.py", ("sqlalchemy", "alembic", _PSYCOPG)),
        Tool("django", "django_orm.py", ("django", _PSYCOPG)),
        Tool("pandas", "pandas_frames.py", ("pandas", "sqlalchemy", _PSYCOPG)),
        Tool(
            "polars",
            "polars_frames.py",
            ("polars", "pyarrow", "connectorx", "adbc-driver-manager", "adbc-driver-postgresql"),
        ),
        Tool("pgbench", "pgbench.sh", needs=("/usr/lib/postgresql/15/bin/pgbench",)),
        Tool("jdbc", "jdbc_metadata.java", needs=("java", str(JDBC))),
        Tool("knex", "knex.js", npm=("knex", "pg"), needs=("node", "npm")),
        Tool("sequelize", "sequelize.js", npm=("sequelize", "pg"), needs=("node", "npm")),
        Tool(
            "typeorm",
            "typeorm.js",
            npm=("typeorm", "pg", "reflect-metadata"),
            needs=("node", "npm"),
        ),
        Tool(
            "prisma",
            "prisma.js",
            npm=("prisma@7", "@prisma/client@7", "@prisma/adapter-pg@7"),
            needs=("node", "npm", "npx"),
        ),
        Tool("drizzle", "drizzle.js", npm=("drizzle-orm", "pg"), needs=("node", "npm")),
    )
}

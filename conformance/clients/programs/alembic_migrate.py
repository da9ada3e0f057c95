"""Alembic: autogenerate finds the differences, upgrade and downgrade make and undo them."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    inspect,
)

ENV = """
from alembic import context
from sqlalchemy import create_engine
target = context.config.attributes["target"]
with create_engine("postgresql+psycopg://").connect() as connection:
    context.configure(connection=connection, target_metadata=target, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()
"""


def first():
    found = MetaData()
    Table(
        "people",
        found,
        Column("id", Integer, primary_key=True),
        Column("name", String(50), nullable=False),
    )
    return found


def second():
    found = MetaData()
    Table(
        "people", found, Column("id", Integer, primary_key=True),
        Column("name", Text, nullable=True, index=True),
        Column("email", String(100)),
        UniqueConstraint("email", name="people_email_key"),
        Column("level", Integer, server_default="1", nullable=False),
    )  # fmt: skip
    Table(
        "pets", found, Column("id", Integer, primary_key=True),
        Column("owner", ForeignKey("people.id", ondelete="CASCADE", name="pets_owner_fkey")),
    )  # fmt: skip
    return found


def told(engine, target):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        for difference in compare_metadata(context, target):
            kind = difference[0] if isinstance(difference, tuple) else difference[0][0]
            print("  differs:", kind)


def shown(engine):
    asked = inspect(engine)
    for table in sorted(asked.get_table_names()):
        print(
            "  table",
            table,
            [
                (c["name"], str(c["type"]), c["nullable"], c["default"])
                for c in asked.get_columns(table)
            ],
        )
        print("  keys", asked.get_foreign_keys(table), asked.get_unique_constraints(table))


def main():
    engine = create_engine("postgresql+psycopg://")
    with TemporaryDirectory() as directory:
        config = Config(directory + "/alembic.ini")
        config.set_main_option("script_location", directory)
        config.set_main_option("version_path_separator", "os")
        with redirect_stdout(io.StringIO()):
            command.init(config, directory + "/made")
        config.set_main_option("script_location", directory + "/made")
        (Path(directory) / "made" / "env.py").write_text(ENV)
        for number, target in enumerate((first(), second()), 1):
            config.attributes["target"] = target
            told(engine, target)
            with redirect_stdout(io.StringIO()):
                command.revision(config, f"step {number}", autogenerate=True, rev_id=f"r{number}")
                command.upgrade(config, "head")
            print("upgraded to", number)
            shown(engine)
            told(engine, target)
        for revision in ("r1", "base"):
            command.downgrade(config, revision)
            print("downgraded to", revision)
            shown(engine)


main()

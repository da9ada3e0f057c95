"""CREATE TABLE in KalamDB's three generations, TRUNCATE."""

from dataclasses import dataclass, field

from catalog.errors import UndefinedObjectError
from catalog.model import TableKind
from catalog.options import KIND_OF_METHOD
from kalam_pg.sql import parse_derived
from kalam_pg.sql.parse_columns import column_definition, table_constraint
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import (
    ColumnDefinition,
    CreateTable,
    TableConstraint,
    TableName,
    Truncate,
)
from kalam_pg.sql.statements_derived import CreateTableAs, LikeTable

_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@dataclass(slots=True)
class _Table:
    """CREATE TABLE as far as it is read."""

    name: TableName
    columns: list[ColumnDefinition] = field(default_factory=list)
    constraints: list[TableConstraint] = field(default_factory=list)
    options: list[tuple[str, str]] = field(default_factory=list)
    likes: list[LikeTable] = field(default_factory=list)
    on_commit: str = ""

    def option(self, name: str, value: str) -> None:
        """Note an option. The two halves of a flush policy are joined."""
        if name == "FLUSH_POLICY":
            for index, (known, text) in enumerate(self.options):
                if known == name:
                    self.options[index] = (name, f"{text},{value}")
                    return
        self.options.append((name, value))


def create_table(
    reader: StatementReader, kind: str, *, temporary: bool = False
) -> CreateTable | CreateTableAs:
    """Behind CREATE [USER | SHARED | STREAM | TEMP] TABLE; `kind` is one of the first three or ""."""
    if_not_exists = reader.if_not_exists()
    table = _Table(reader.table_name())
    if kind:
        table.option("TYPE", kind)
    names: tuple[str, ...] = ()
    if reader.at("(") and not _elements_are_names(reader):
        _elements(reader, table)
    elif reader.at("("):
        names = tuple(reader.parenthesised(reader.column_name))
    elif reader.at("of", "partition"):
        reader.unsupported(f"CREATE TABLE {reader.token.key.upper()}")
    elif not reader.at("as", "with", "using", "on"):
        reader.fail()
    _suffixes(reader, table)
    if reader.accept("as"):
        query, with_data = parse_derived.query_of_table(reader)
        options = tuple(table.options)
        return CreateTableAs(
            *(table.name, query, names, options, if_not_exists, with_data),
            temporary=temporary,
            on_commit=table.on_commit,
        )
    if names or not (table.columns or table.constraints or table.likes):
        # Only CREATE TABLE () may have no columns, or names without types.
        _require_elements(reader, names)
    return CreateTable(
        table.name,
        tuple(table.columns),
        tuple(table.constraints),
        tuple(table.options),
        if_not_exists,
        tuple(table.likes),
        temporary,
        table.on_commit,
    )


def _require_elements(reader: StatementReader, names: tuple[str, ...]) -> None:
    if names or not reader.at_end() or reader.tokens[-1].key != ")":
        reader.fail()


def _elements_are_names(reader: StatementReader) -> bool:
    """Whether ( holds only names, as in CREATE TABLE t (a, b) AS SELECT …."""
    return reader.peek(2).key in (",", ")") and reader.peek().kind in ("word", "name")


def _elements(reader: StatementReader, table: _Table) -> None:
    reader.expect("(")
    if reader.accept(")"):
        return
    while True:
        _element(reader, table)
        if not reader.accept(","):
            break
    reader.expect(")")


def _element(reader: StatementReader, table: _Table) -> None:
    if reader.at("constraint", "primary", "unique", "check", "foreign", "exclude"):
        table.constraints.append(table_constraint(reader))
    elif reader.at("like"):
        table.likes.append(parse_derived.like(reader, len(table.columns)))
    else:
        column, constraints = column_definition(reader, table.name.name)
        table.columns.append(column)
        table.constraints += constraints


# ------------------------------------------------------------------ behind the columns


def _suffixes(reader: StatementReader, table: _Table) -> None:
    while True:
        if reader.accept("with"):
            for name, value in option_list(reader):
                table.option(name, value)
        elif reader.accept("without", "oids"):
            pass
        elif reader.accept("using"):
            kind = KIND_OF_METHOD.get(access_method(reader), TableKind.SHARED)
            if kind is not TableKind.SHARED:
                table.option("TYPE", kind.name)
        elif reader.accept("flush"):
            _flush(reader, table)
        elif reader.accept("ttl") or reader.accept("retention"):
            table.option("TTL_SECONDS", _duration(reader))
        elif reader.accept("ephemeral"):
            if ("TYPE", "STREAM") not in table.options:
                table.option("TYPE", "STREAM")
        elif reader.accept("max_buffer"):
            table.option("MAX_BUFFER", str(reader.integer()))
        elif reader.accept("storage"):
            table.option("STORAGE", reader.role_name())
        elif reader.accept("on", "commit"):
            table.on_commit = _on_commit(reader)
        elif reader.at("tablespace", "inherits", "partition"):
            reader.unsupported(f"CREATE TABLE … {reader.token.key.upper()}")
        else:
            return


def _on_commit(reader: StatementReader) -> str:
    """PRESERVE ROWS | DELETE ROWS | DROP."""
    if reader.accept("drop"):
        return "drop"
    word = reader.token.key
    if not (reader.accept("preserve", "rows") or reader.accept("delete", "rows")):
        reader.fail()
    return f"{word} rows"


def access_method(reader: StatementReader) -> str:
    """Behind USING. Raises 42704."""
    token = reader.token
    name = reader.column_name()
    if name != "kalamdb" and name not in KIND_OF_METHOD:
        raise UndefinedObjectError(
            f'access method "{name}" does not exist', position=reader.position(token)
        )
    return name


def _flush(reader: StatementReader, table: _Table) -> None:
    """The older suffixes: FLUSH ROW_THRESHOLD n, FLUSH INTERVAL 300s …, FLUSH POLICY …."""
    reader.accept("policy")
    any_given = False
    while True:
        if reader.accept("row_threshold") or reader.accept("row_limit"):
            table.option("FLUSH_POLICY", f"rows:{reader.integer()}")
        elif reader.accept("interval") or reader.accept("time_interval"):
            table.option("FLUSH_POLICY", f"interval:{_duration(reader)}")
        elif any_given:
            return
        else:
            reader.fail()
        any_given = True


def _duration(reader: StatementReader) -> str:
    """Seconds: 300, 300s, 5m, '300s'."""
    token = reader.token
    if token.kind == "number":
        return reader.advance().value
    if token.kind not in ("junk", "string"):
        reader.fail()
    digits = token.value.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = _UNITS.get(token.value[len(digits) :] or "s")
    if unit is None or not digits.isdigit():
        reader.fail()
    reader.advance()
    return str(int(digits) * unit)


def option_list(reader: StatementReader) -> list[tuple[str, str]]:
    """( name [= value], … ): names in upper case, values as text."""
    return reader.parenthesised(lambda: _option(reader))


def _option(reader: StatementReader) -> tuple[str, str]:
    parts = [reader.label()]
    while reader.accept("."):
        parts.append(reader.label())
    name = ".".join(parts).upper()
    if not reader.accept("="):
        return name, "true"
    token = reader.token
    if token.kind in ("string", "junk"):
        return name, reader.advance().value
    if token.kind == "number" or reader.at("-", "+"):
        return name, reader.signed_number()
    return name, reader.label()


# ------------------------------------------------------------------ TRUNCATE


def truncate(reader: StatementReader) -> Truncate:
    """TRUNCATE [TABLE] names."""
    reader.advance()
    reader.accept("table")
    names = reader.many(reader.table_alone)
    restart = reader.accept("restart", "identity")
    if not restart:
        reader.accept("continue", "identity")
    return Truncate(tuple(names), reader.cascade(), restart)

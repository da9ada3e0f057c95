"""Columns and constraints of CREATE TABLE and ADD COLUMN."""

from dataclasses import dataclass, field, replace

from catalog.changes_sequence import SequenceOptions
from catalog.errors import FeatureNotSupportedError, SqlSyntaxError, UndefinedObjectError
from kalam_pg.sql.parse_references import attributes, references
from kalam_pg.sql.parse_sequences import of_identity
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import ColumnDefinition, TableConstraint, TypeName

_SERIAL = {
    "serial": "int4",
    "serial4": "int4",
    "bigserial": "int8",
    "serial8": "int8",
    "smallserial": "int2",
    "serial2": "int2",
}


def table_constraint(reader: StatementReader, *, added: bool = False) -> TableConstraint:
    """TableConstraint: a constraint among the columns, or one that ALTER TABLE has `added`."""
    position = reader.position(reader.token)
    name = reader.column_name() if reader.accept("constraint") else ""
    if reader.accept("check"):
        constraint = TableConstraint("c", name, check=_check(reader))
    elif reader.accept("primary", "key"):
        columns, index = _key_columns(reader, added=added)
        constraint = TableConstraint("p", name, columns, index=index)
    elif reader.accept("unique"):
        distinct = _nulls_distinct(reader)
        columns, index = _key_columns(reader, added=added)
        constraint = TableConstraint("u", name, columns, nulls_distinct=distinct, index=index)
    elif reader.accept("foreign", "key"):
        constraint = TableConstraint("f", name, tuple(reader.parenthesised(reader.column_name)))
        reader.expect("references")
        constraint = replace(constraint, references=references(reader))
    elif reader.at("exclude"):
        reader.unsupported("EXCLUDE")
    else:
        reader.fail()
    if added and constraint.kind in ("c", "f") and reader.accept("not", "valid"):
        constraint = replace(constraint, not_valid=True)
    if constraint.references is not None:
        deferrable, deferred = attributes(reader)
        referring = replace(constraint.references, deferrable=deferrable, deferred=deferred)
        constraint = replace(constraint, references=referring)
        if added and reader.accept("not", "valid"):
            constraint = replace(constraint, not_valid=True)
    elif constraint.kind in ("p", "u"):
        constraint = _deferrable(reader, constraint)
    _attributes(reader, constraint.kind)
    return replace(constraint, position=position)


def _deferrable(reader: StatementReader, constraint: TableConstraint) -> TableConstraint:
    deferrable, deferred = attributes(reader)
    return replace(constraint, deferrable=deferrable, deferred=deferred)


def _key_columns(reader: StatementReader, *, added: bool) -> tuple[tuple[str, ...], str]:
    """The columns, or the index whose they are."""
    if added and reader.accept("using", "index"):
        return (), reader.column_name()
    columns = tuple(reader.parenthesised(reader.column_name))
    if reader.at("include"):
        reader.unsupported("INCLUDE")
    return columns, ""


def _nulls_distinct(reader: StatementReader) -> bool:
    if reader.accept("nulls", "not", "distinct"):
        return False
    reader.accept("nulls", "distinct")
    return True


def _check(reader: StatementReader) -> str:
    """( expression ) as text."""
    reader.expect("(")
    text = reader.expression_text()
    reader.expect(")")
    if reader.at_words("no", "inherit"):
        reader.unsupported("NO INHERIT")
    return text


_MARKED = {"c": "CHECK", "u": "UNIQUE", "p": "PRIMARY KEY"}


def _attributes(reader: StatementReader, kind: str) -> None:
    """What may follow a constraint that says nothing of it by now: only what is the default anyway."""
    while True:
        position = reader.position(reader.token)
        mark = ""
        if reader.accept("deferrable") or reader.accept("initially", "deferred"):
            mark = "DEFERRABLE"
        elif reader.accept("not", "valid"):
            mark = "NOT VALID"
        elif not (reader.accept("not", "deferrable") or reader.accept("initially", "immediate")):
            return
        if mark and kind in _MARKED:
            raise FeatureNotSupportedError(
                f"{_MARKED[kind]} constraints cannot be marked {mark}", position=position
            )
        if mark:
            reader.fail()


def _misplaced_attribute(reader: StatementReader) -> None:
    """Raise 42601 for DEFERRABLE and its kin where no constraint is that may be so."""
    position = reader.position(reader.token)
    for words in _ATTRIBUTES:
        if reader.accept(*words):
            raise SqlSyntaxError(f"misplaced {' '.join(words).upper()} clause", position=position)


_ATTRIBUTES = (
    *(("deferrable",), ("not", "deferrable")),
    *(("initially", "deferred"), ("initially", "immediate")),
)


# ------------------------------------------------------------------ columns


@dataclass(slots=True)
class _Column:
    """A column definition as far as it is read."""

    reader: StatementReader
    table: str
    name: str
    type: TypeName
    position: int
    not_null: bool | None = None
    default: str = ""
    identity: str = ""
    generated: str = ""
    generated_at: int = 0
    sequence: SequenceOptions = field(default_factory=SequenceOptions)
    primary_key: str | None = None
    deferral: tuple[bool, bool] = (False, False)
    constraints: list[TableConstraint] = field(default_factory=list)
    checks: list[tuple[str, str]] = field(default_factory=list)

    def conflict(self, what: str) -> SqlSyntaxError:
        text = f'{what} for column "{self.name}" of table "{self.table}"'
        return SqlSyntaxError(text, position=self.reader.offset + self.position)

    def set_null(self, *, not_null: bool) -> None:
        if self.not_null is not None and self.not_null != not_null:
            raise self.conflict("conflicting NULL/NOT NULL declarations")
        self.not_null = not_null

    def set_identity(self, identity: str) -> None:
        if self.identity:
            raise self.conflict("multiple identity specifications")
        self.identity = identity
        self.set_null(not_null=True)


def column_definition(
    reader: StatementReader, table: str
) -> tuple[ColumnDefinition, list[TableConstraint]]:
    """columnDef: a column, and the constraints on it that do not fit in its definition."""
    position = reader.token.start + 1
    name = reader.column_name()
    column = _Column(reader, table, name, reader.type_name(), position)
    if not column.type.schema and column.type.name in _SERIAL and not column.type.modifiers:
        if column.type.dimensions:
            raise column.conflict("array of serial is not implemented")
        column.type = replace(column.type, name=_SERIAL[column.type.name])
        column.set_identity("s")
    while _column_constraint(reader, column):
        pass
    given = (column.default, column.identity, column.generated)
    if sum(1 for value in given if value) > 1:
        both = "default and identity" if not column.generated else "default and generation"
        if column.identity and column.generated:
            both = "identity and generation"
        if column.identity == "s":
            raise column.conflict("multiple default values specified")
        raise column.conflict(
            f"both {both} expression specified".replace("identity expression", "identity")
        )
    return _finished_column(column)


def _finished_column(column: _Column) -> tuple[ColumnDefinition, list[TableConstraint]]:
    definition = ColumnDefinition(
        name=column.name,
        type=column.type,
        not_null=bool(column.not_null),
        default=column.default,
        identity=column.identity,
        generated=column.generated,
        generated_at=column.generated_at,
        primary_key=column.primary_key is not None,
        constraint_name=column.primary_key or "",
        deferral=column.deferral,
        checks=tuple(column.checks),
        position=column.position,
        sequence=column.sequence,
    )
    return definition, column.constraints


def collated(reader: StatementReader, of: TypeName) -> TypeName:
    """A type, with COLLATE behind it or not."""
    if not reader.at("collate"):
        return of
    position = reader.position(reader.token)
    if of.collated:
        raise SqlSyntaxError("multiple COLLATE clauses not allowed", position=position)
    collation(reader)
    return replace(of, collated=position)


def collation(reader: StatementReader) -> None:
    """COLLATE: only the collations that this server compares by."""
    token = reader.advance()
    parts = [reader.column_name()]
    while reader.accept("."):
        parts.append(reader.label())
    if parts[-1] not in ("default", "C", "POSIX", "ucs_basic"):
        raise UndefinedObjectError(
            f'collation "{".".join(parts)}" for encoding "UTF8" does not exist',
            position=reader.position(token),
        )


def _column_constraint(reader: StatementReader, column: _Column) -> bool:
    """One constraint of a column; False when none follows."""
    name = reader.column_name() if reader.accept("constraint") else ""
    if reader.at("collate") and not name:
        column.type = collated(reader, column.type)
        return True
    if reader.accept("not", "null"):
        column.set_null(not_null=True)
    elif reader.accept("null"):
        column.set_null(not_null=False)
    elif reader.accept("default"):
        if column.default:
            raise column.conflict("multiple default values specified")
        column.default = reader.expression_text(restricted=True)
    elif reader.accept("auto_increment") or reader.accept("autoincrement"):
        column.set_identity("s")
    elif reader.accept("check"):
        column.checks.append((name, _check(reader)))
    elif reader.accept("primary", "key"):
        if column.primary_key is not None:
            raise SqlSyntaxError(
                f'multiple primary keys for table "{column.table}" are not allowed'
            )
        column.primary_key = name
        column.deferral = attributes(reader)
    elif reader.accept("unique"):
        distinct = _nulls_distinct(reader)
        unique = TableConstraint("u", name, (column.name,), nulls_distinct=distinct)
        column.constraints.append(_deferrable(reader, unique))
    elif reader.accept("generated"):
        _generated(reader, column)
    elif reader.accept("references"):
        referring = references(reader)
        deferrable, deferred = attributes(reader)
        referring = replace(referring, deferrable=deferrable, deferred=deferred)
        column.constraints.append(TableConstraint("f", name, (column.name,), references=referring))
    elif name:
        reader.fail()
    else:
        _misplaced_attribute(reader)
        return False
    return True


def _generated(reader: StatementReader, column: _Column) -> None:
    always = reader.accept("always")
    if not always:
        reader.expect("by", "default")
    reader.expect("as")
    if reader.accept("identity"):
        column.sequence = of_identity(reader)
        column.set_identity("a" if always else "d")
        return
    if not always:
        reader.fail()
    reader.expect("(")
    if column.generated:
        raise column.conflict("multiple generation clauses specified")
    column.generated_at = reader.token.start + 1
    column.generated = reader.expression_text()
    reader.expect(")")
    reader.expect("stored")

"""ALTER TABLE, and what ALTER VIEW, INDEX and SEQUENCE have in common with it."""

from catalog.errors import SqlSyntaxError
from kalam_pg.sql.keywords import NOT_A_NAME
from kalam_pg.sql.parse_columns import collated, column_definition, table_constraint
from kalam_pg.sql.parse_sequences import (
    SET_OF_IDENTITY,
    Clauses,
    of_identity,
    sequence_clause,
)
from kalam_pg.sql.parse_tables import option_list
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements_alter import (
    AddColumn,
    AddConstraint,
    AddIdentity,
    AlterAction,
    AlterTable,
    DropColumn,
    DropConstraint,
    DropExpression,
    DropIdentity,
    OwnerTo,
    RenameColumn,
    RenameConstraint,
    RenameTo,
    SetColumnOption,
    SetDefault,
    SetIdentity,
    SetNotNull,
    SetOptions,
    SetSchema,
    SetType,
    ValidateConstraint,
)

_CONSTRAINTS = ("constraint", "primary", "unique", "check", "foreign", "exclude")


def alter_table(reader: StatementReader) -> AlterTable:
    """Behind ALTER TABLE."""
    if_exists = reader.if_exists()
    only = reader.accept("only")
    parenthesised = only and reader.accept("(")
    name = reader.table_name()
    if parenthesised:
        reader.expect(")")
    elif not only:
        reader.accept("*")
    alone = _alone(reader, "table")
    if alone is not None:
        return AlterTable(name, (alone,), if_exists)
    actions = reader.many(lambda: _action(reader, name.name))
    return AlterTable(name, tuple(actions), if_exists)


def alter_relation(reader: StatementReader, kind: str) -> AlterTable:
    """Behind ALTER VIEW | INDEX | SEQUENCE, as far as it is as ALTER TABLE; else 0A000."""
    if_exists = reader.if_exists()
    name = reader.table_name()
    action = _alone(reader, kind)
    if action is None and kind == "view" and reader.accept("alter"):
        reader.accept("column")
        action = _default(reader, reader.column_name())
    if action is None and reader.accept("owner"):
        action = _owner(reader)
    if action is None:
        reader.unsupported(f"ALTER {kind.upper()} … {reader.token.value.upper()}")
    return AlterTable(name, (action,), if_exists, kind)


def alter_materialized_view(reader: StatementReader) -> AlterTable:
    """Behind ALTER MATERIALIZED VIEW: as ALTER TABLE, which says what a table alone can have done."""
    kind = "materialized view"
    if_exists = reader.if_exists()
    name = reader.table_name()
    alone = _alone(reader, kind)
    if alone is not None:
        return AlterTable(name, (alone,), if_exists, kind)
    actions = reader.many(lambda: _action(reader, name.name))
    return AlterTable(name, tuple(actions), if_exists, kind)


def _alone(reader: StatementReader, kind: str) -> AlterAction | None:
    """An action that no other may stand beside."""
    if reader.at_words("set", "schema"):
        reader.expect("set", "schema")
        return SetSchema(reader.column_name())
    if not reader.accept("rename"):
        return None
    if reader.accept("to"):
        return RenameTo(reader.column_name())
    if kind == "table" and reader.accept("constraint"):
        constraint = reader.column_name()
        reader.expect("to")
        return RenameConstraint(constraint, reader.column_name())
    if kind not in ("table", "view", "materialized view"):
        reader.fail()
    reader.accept("column")
    column = reader.column_name()
    reader.expect("to")
    return RenameColumn(column, reader.column_name())


def _action(reader: StatementReader, table: str) -> AlterAction:
    if reader.accept("add"):
        return _add(reader, table)
    if reader.accept("drop"):
        return _drop(reader)
    if reader.accept("alter"):
        if reader.at("constraint"):
            reader.unsupported("ALTER CONSTRAINT")
        reader.accept("column")
        return _alter_column(reader)
    if reader.accept("validate", "constraint"):
        return ValidateConstraint(reader.column_name())
    if reader.accept("owner"):
        return _owner(reader)
    if reader.at_words("set", "("):
        reader.advance()
        return SetOptions(tuple(option_list(reader)))
    if reader.at_words("reset", "("):
        reader.advance()
        names = reader.parenthesised(reader.label)
        return SetOptions(tuple([(name.upper(), "") for name in names]), reset=True)
    if reader.token.kind == "word" and reader.token.value not in NOT_A_NAME:
        what = reader.token.value.upper()
        if what == "SET":
            what += f" {reader.peek().value.upper()}"
        reader.unsupported(f"ALTER TABLE … {what}")
    return reader.fail()


def _add(reader: StatementReader, table: str) -> AlterAction:
    if reader.at(*_CONSTRAINTS):
        return AddConstraint(table_constraint(reader, added=True))
    reader.accept("column")
    if_not_exists = reader.if_not_exists()
    definition, constraints = column_definition(reader, table)
    return AddColumn(definition, tuple(constraints), if_not_exists)


def _drop(reader: StatementReader) -> AlterAction:
    if reader.accept("constraint"):
        if_exists = reader.if_exists()
        name = reader.column_name()
        return DropConstraint(name, if_exists, reader.cascade())
    reader.accept("column")
    if_exists = reader.if_exists()
    column = reader.column_name()
    return DropColumn(column, if_exists, reader.cascade())


def _owner(reader: StatementReader) -> OwnerTo:
    reader.expect("to")
    return OwnerTo(reader.role_or_self())


def _alter_column(reader: StatementReader) -> AlterAction:
    column = reader.column_name()
    default = _default(reader, column)
    if default is not None:
        return default
    if reader.accept("set", "not", "null"):
        return SetNotNull(column, not_null=True)
    if reader.accept("drop", "not", "null"):
        return SetNotNull(column, not_null=False)
    if reader.accept("drop", "expression"):
        return DropExpression(column, reader.if_exists())
    identity = _identity(reader, column)
    if identity is not None:
        return identity
    option = _column_option(reader, column)
    if option is not None:
        return option
    if not reader.accept("set", "data"):
        reader.accept("set")
    if reader.accept("type"):
        written = collated(reader, reader.type_name())
        using = reader.expression_text() if reader.accept("using") else ""
        return SetType(column, written, using)
    if reader.token.kind == "word":
        reader.unsupported(f"ALTER COLUMN … {reader.token.value.upper()}")
    return reader.fail()


def _column_option(reader: StatementReader, column: str) -> SetColumnOption | None:
    """SET STATISTICS, STORAGE, COMPRESSION or options, RESET of options."""
    if reader.accept("set", "statistics"):
        return SetColumnOption(column, "statistics", (("", reader.signed_number()),))
    for what in ("storage", "compression"):
        if reader.accept("set", what):
            return SetColumnOption(column, what, (("", reader.label()),))
    if reader.at_words("set", "("):
        reader.advance()
        return SetColumnOption(column, "options", tuple(option_list(reader)))
    if reader.at_words("reset", "("):
        reader.advance()
        reader.parenthesised(reader.label)  # Any: what was never set is as it is.
        return SetColumnOption(column, "options", ())
    return None


def _identity(
    reader: StatementReader, column: str
) -> AddIdentity | SetIdentity | DropIdentity | None:
    """ADD GENERATED … AS IDENTITY, SET GENERATED, SET of a sequence's option, RESTART, DROP IDENTITY."""
    if reader.accept("add", "generated"):
        when = _generated(reader)
        reader.expect("as", "identity")
        return AddIdentity(column, when, of_identity(reader))
    if reader.accept("drop", "identity"):
        return DropIdentity(column, reader.if_exists())
    if reader.at("restart") or (reader.at("set") and reader.peek().key in SET_OF_IDENTITY):
        clauses = Clauses(reader)
        when = ""
        while reader.at("restart") or reader.accept("set"):
            if reader.accept("generated"):
                when = _generated(reader)
            elif not sequence_clause(reader, clauses):
                reader.fail()
        return SetIdentity(column, when, clauses.options)
    return None


def _generated(reader: StatementReader) -> str:
    """ALWAYS | BY DEFAULT."""
    if reader.accept("always"):
        return "a"
    reader.expect("by", "default")
    return "d"


def _default(reader: StatementReader, column: str) -> SetDefault | None:
    if reader.accept("set", "default"):
        text = reader.expression_text()
        if not text:
            raise SqlSyntaxError("syntax error at end of input")
        return SetDefault(column, text)
    return SetDefault(column) if reader.accept("drop", "default") else None

"""CREATE, DROP, ALTER and COMMENT by what they are about; namespaces and views."""

from dataclasses import replace

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidParameterValueError,
    SqlSyntaxError,
)
from kalam_pg.sql import (
    parse_aggregates,
    parse_alter,
    parse_extensions,
    parse_functions,
    parse_indexes,
    parse_materialized,
    parse_sequences,
    parse_tables,
    parse_types,
    parse_users,
)
from kalam_pg.sql.deparse import quote_identifier
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import (
    CommentOn,
    CreateNamespace,
    DropNamespace,
    DropTable,
    NamespaceOwner,
    RenameNamespace,
    Statement,
    TableName,
    Unsupported,
)
from kalam_pg.sql.statements_extensions import CommentOnExtension
from kalam_pg.sql.statements_views import CreateView, DropView

_KINDS = ("user", "shared", "stream")
_ROLES = ("user", "role", "group")
_NAMESPACES = ("namespace", "schema")
# Other things that PostgreSQL or KalamDB create, alter and drop; none is built.
_OTHERS = (
    *("storage", "trigger"),
    *("database", "operator", "rule", "policy", "publication", "cast"),
    *("subscription", "server", "foreign", "language", "collation", "conversion", "event"),
    *("statistics", "tablespace", "text", "transform", "access", "owned", "large"),
    *("default", "system", "constraint"),
)


def create(reader: StatementReader) -> Statement:
    """CREATE …."""
    reader.advance()
    or_replace = reader.accept("or", "replace")
    if reader.at("temp", "temporary") or reader.at("local", "global"):
        return _create_temporary(reader, or_replace=or_replace)
    if reader.accept("view"):
        return _create_view(reader, or_replace=or_replace)
    if reader.at("function", "procedure", "aggregate"):
        made = parse_aggregates.create if reader.at("aggregate") else parse_functions.create
        return made(reader, or_replace=or_replace)
    if not or_replace and reader.accept("materialized", "view"):
        return parse_materialized.create(reader)
    if not or_replace:
        if reader.at("table") or (reader.at(*_KINDS) and reader.peek().key == "table"):
            kind = "" if reader.at("table") else reader.advance().key.upper()
            reader.advance()
            return parse_tables.create_table(reader, kind)
        if reader.accept("type"):
            return parse_types.create_type(reader)
        if reader.accept("domain"):
            return parse_types.create_domain(reader)
        if reader.at(*_NAMESPACES):
            return _create_namespace(reader)
        if reader.at(*_ROLES):
            return parse_users.create_user(reader)
        if reader.accept("sequence") or reader.accept("unlogged", "sequence"):
            return parse_sequences.create(reader)
        if reader.accept("unlogged", "table"):
            return replace(parse_tables.create_table(reader, ""), unlogged=True)
        if reader.accept("unlogged", "materialized", "view"):
            raise FeatureNotSupportedError("materialized views cannot be unlogged")
        if reader.accept("extension"):
            return parse_extensions.create(reader)
    if reader.accept("recursive", "view"):
        return _create_recursive_view(reader, or_replace=or_replace)
    if not or_replace and reader.accept("unique", "index"):
        return parse_indexes.create_index(reader, unique=True)
    if not or_replace and reader.accept("index"):
        return parse_indexes.create_index(reader, unique=False)
    return _other(reader, "CREATE")


def _create_temporary(reader: StatementReader, *, or_replace: bool) -> Statement:
    """[LOCAL | GLOBAL] TEMP[ORARY] …: what only its session has."""
    if reader.at("local", "global"):
        reader.advance()
    if not (reader.accept("temp") or reader.accept("temporary")):
        reader.fail()
    if reader.accept("view"):
        return _create_view(reader, or_replace=or_replace, temporary=True)
    if reader.accept("recursive", "view"):
        return _create_recursive_view(reader, or_replace=or_replace, temporary=True)
    if not or_replace and reader.accept("table"):
        return parse_tables.create_table(reader, "", temporary=True)
    if or_replace or not reader.accept("sequence"):
        reader.fail()
    return replace(parse_sequences.create(reader), temporary=True)


def _other(reader: StatementReader, verb: str) -> Unsupported:
    """`verb` of something that is known and not built."""
    if not reader.at(*_OTHERS):
        reader.fail()
    what = f"{verb} {reader.token.key.upper()}"
    return _whole(reader, what)


def _whole(reader: StatementReader, what: str) -> Unsupported:
    reader.skip_rest()
    return Unsupported(what)


def _create_namespace(reader: StatementReader) -> CreateNamespace:
    reader.advance()
    if_not_exists = reader.if_not_exists()
    name = ""
    if not reader.at("authorization"):
        name = reader.column_name()
    authorization = reader.role_name() if reader.accept("authorization") else ""
    if not reader.at_end():
        if reader.at("create", "grant"):
            reader.unsupported("CREATE SCHEMA with elements")
        reader.fail()
    return CreateNamespace(name or authorization, if_not_exists, authorization)


def _create_view(
    reader: StatementReader, *, or_replace: bool, temporary: bool = False
) -> CreateView:
    name = reader.table_name()
    columns = tuple(reader.parenthesised(reader.column_name)) if reader.at("(") else ()
    option = _view_options(reader) if reader.at("with") else ""
    reader.expect("as")
    written, end = _check_option(reader)
    query = reader.nested_query(end)
    if end is not None:
        reader.skip_rest()
    return CreateView(name, query, columns, or_replace, temporary, written or option)


def _create_recursive_view(
    reader: StatementReader, *, or_replace: bool, temporary: bool = False
) -> CreateView:
    """RECURSIVE VIEW name (columns) AS query: WITH RECURSIVE name (columns) AS (query), and all of it."""
    name = reader.table_name()
    columns = tuple(reader.parenthesised(reader.column_name))
    option = _view_options(reader) if reader.at("with") else ""
    reader.expect("as")
    written, end = _check_option(reader)
    if written or option:
        raise FeatureNotSupportedError("WITH CHECK OPTION not supported on recursive views")
    called = quote_identifier(name.name)
    names = ", ".join([quote_identifier(column) for column in columns])
    query = reader.nested_query(
        end,
        prefix=f"WITH RECURSIVE {called} ({names}) AS (",
        suffix=f") SELECT {names} FROM {called}",  # noqa: S608 -- quoted
    )
    return CreateView(name, query, columns, or_replace, temporary)


def _check_option(reader: StatementReader) -> tuple[str, int | None]:
    """WITH [CASCADED | LOCAL] CHECK OPTION at the statement's end, and where it begins."""
    words = [token.key for token in reader.tokens[-4:]]
    for written, option in (
        (["with", "check", "option"], "cascaded"),
        (["with", "cascaded", "check", "option"], "cascaded"),
        (["with", "local", "check", "option"], "local"),
    ):
        if words[-len(written) :] == written:
            return option, len(reader.tokens) - len(written)
    return "", None


def _view_options(reader: StatementReader) -> str:
    """WITH (check_option = …): the one option that views have here."""
    reader.advance()
    found = ""
    for name, value in reader.parenthesised(lambda: _view_option(reader)):
        if name != "check_option":
            reader.unsupported(f"view option {name}")
        found = value
        if found not in ("local", "cascaded"):
            raise InvalidParameterValueError(
                f'invalid value for enum option "check_option": {value}',
                detail='Valid values are "local" and "cascaded".',
            )
    return found


def _view_option(reader: StatementReader) -> tuple[str, str]:
    name = reader.label()
    if not reader.accept("="):
        return name, ""
    return name, reader.string() if reader.token.kind == "string" else reader.label()


def drop(reader: StatementReader) -> Statement:
    """DROP …."""
    reader.advance()
    if reader.at(*_KINDS) and reader.peek().key == "table":
        reader.advance()
    if reader.accept("table"):
        if_exists = reader.if_exists()
        names = reader.many(reader.table_name)
        return DropTable(tuple(names), if_exists, reader.cascade())
    if reader.accept("type"):
        return parse_types.drop_type(reader)
    if reader.accept("domain"):
        return parse_types.drop_domain(reader)
    if reader.accept("materialized", "view"):
        return parse_materialized.drop(reader)
    if reader.accept("view"):
        if_exists = reader.if_exists()
        names = reader.many(reader.table_name)
        return DropView(tuple(names), if_exists, reader.cascade())
    if reader.at(*_NAMESPACES):
        reader.advance()
        if_exists = reader.if_exists()
        namespaces = reader.many(reader.column_name)
        return DropNamespace(tuple(namespaces), if_exists, reader.cascade())
    if reader.at(*_ROLES):
        return parse_users.drop_user(reader)
    if reader.accept("index"):
        return parse_indexes.drop_index(reader)
    if reader.accept("sequence"):
        return parse_sequences.drop(reader)
    if reader.at(*parse_functions.ALL_KINDS):
        return parse_functions.drop(reader)
    if reader.accept("extension"):
        return parse_extensions.drop(reader)
    return _other(reader, "DROP")


def alter(reader: StatementReader) -> Statement:
    """ALTER …."""
    reader.advance()
    if reader.at(*_KINDS) and reader.peek().key == "table":
        reader.advance()
    if reader.accept("table"):
        return parse_alter.alter_table(reader)
    if reader.accept("type"):
        return parse_types.alter_type(reader)
    if reader.accept("domain"):
        return parse_types.alter_domain(reader)
    if reader.at(*_NAMESPACES):
        reader.advance()
        name = reader.column_name()
        if reader.accept("owner", "to"):
            return NamespaceOwner(name, reader.role_or_self())
        reader.expect("rename", "to")
        return RenameNamespace(name, reader.column_name())
    if reader.at(*_ROLES):
        return parse_users.alter_user(reader)
    if reader.at_words("default", "privileges"):
        return parse_users.alter_default_privileges(reader)
    if reader.at("database") and reader.peek(2).key in ("set", "reset"):
        if reader.peek(3).key == "tablespace":
            return _other(reader, "ALTER")
        reader.advance()
        return parse_users.alter_database(reader)
    if reader.accept("view"):
        return parse_alter.alter_relation(reader, "view")
    if reader.accept("materialized", "view"):
        return parse_alter.alter_materialized_view(reader)
    if reader.accept("sequence"):
        return parse_sequences.alter(reader)
    if reader.accept("index"):
        return parse_indexes.alter_index(reader)
    if reader.at(*parse_functions.ALL_KINDS):
        return parse_functions.alter(reader)
    if reader.accept("extension"):
        return parse_extensions.alter(reader)
    return _other(reader, "ALTER")


def comment(reader: StatementReader) -> Statement:
    """COMMENT ON … IS 'text' | NULL."""
    reader.advance()
    reader.expect("on")
    if reader.accept("column"):
        return _comment_on_column(reader)
    if reader.accept("constraint"):
        return _comment_on_constraint(reader)
    if reader.accept("materialized", "view"):
        return CommentOn("materialized view", reader.table_name(), "", _comment_text(reader))
    if reader.accept("role"):
        name = TableName("", reader.role_name())
        return CommentOn("role", name, "", _comment_text(reader))
    if reader.accept("database"):
        name = TableName("", reader.column_name())
        return CommentOn("database", name, "", _comment_text(reader))
    if reader.at(*parse_functions.ALL_KINDS):
        return parse_functions.comment(reader)
    if reader.accept("extension"):
        return CommentOnExtension(reader.column_name(), _comment_text(reader))
    if not reader.at("table", "view", "type", "domain", "sequence", "index", *_NAMESPACES):
        return _other(reader, "COMMENT ON")
    word = reader.advance().key
    if word in _NAMESPACES:
        position = reader.token.start + 1
        name = TableName("", reader.column_name(), position)
        return CommentOn("schema", name, "", _comment_text(reader))
    return CommentOn(word, reader.table_name(), "", _comment_text(reader))


def _comment_on_column(reader: StatementReader) -> CommentOn:
    token = reader.token
    parts = [reader.column_name()]
    while reader.accept("."):
        parts.append(reader.label())
    if len(parts) == 4:
        reader.of_this_database(parts, token.start + 1, quoted=False)
        del parts[0]
    if len(parts) not in (2, 3):
        text = "column name must be qualified" if len(parts) < 2 else "improper qualified name"
        raise SqlSyntaxError(text, position=reader.position(token))
    schema = parts[-3] if len(parts) == 3 else ""
    name = TableName(schema, parts[-2], token.start + 1)
    return CommentOn("column", name, parts[-1], _comment_text(reader))


def _comment_on_constraint(reader: StatementReader) -> Statement:
    name = reader.column_name()
    reader.expect("on")
    if reader.at("domain"):
        return _other(reader, "COMMENT ON CONSTRAINT … ON")
    table = reader.table_name()
    return CommentOn("constraint", table, name, _comment_text(reader))


def _comment_text(reader: StatementReader) -> str | None:
    reader.expect("is")
    return None if reader.accept("null") else reader.string()

"""CREATE, ALTER and DROP TYPE and DOMAIN."""

from catalog.errors import SqlSyntaxError
from kalam_pg.sql.parse_columns import collated
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import Statement, TableName, TypeName, Unsupported
from kalam_pg.sql.statements_types import (
    AddAttribute,
    AddDomainCheck,
    AddLabel,
    AlterAttribute,
    AlterAttributes,
    AlterDomain,
    AlterType,
    CreateComposite,
    CreateDomain,
    CreateRange,
    CreateType,
    DomainDefault,
    DomainNotNull,
    DropAttribute,
    DropDomain,
    DropDomainCheck,
    DropType,
    MoveType,
    OwnType,
    RenameAttribute,
    RenameDomainCheck,
    RenameLabel,
    ValidateDomainCheck,
)


def create_type(reader: StatementReader) -> Statement:
    """What follows CREATE TYPE."""
    name = reader.table_name()
    if reader.accept("as", "enum"):
        labels: list[str] = []
        reader.expect("(")
        if not reader.at(")"):
            labels = reader.many(reader.string)
        reader.expect(")")
        return CreateType(name, tuple(labels))
    if not reader.accept("as"):
        reader.skip_rest()
        return Unsupported("CREATE TYPE of a base type")
    if reader.accept("range"):
        return _create_range(reader, name)
    reader.expect("(")
    attributes = [] if reader.at(")") else reader.many(lambda: _attribute(reader))
    reader.expect(")")
    return CreateComposite(name, tuple(attributes))


_RANGE_OPTIONS = frozenset(
    ("subtype_opclass", "collation", "canonical", "subtype_diff", "multirange_type_name")
)


def _create_range(reader: StatementReader, name: TableName) -> Statement:
    subtype: TypeName | None = None
    options: dict[str, TableName] = {}
    reader.expect("(")
    while not options or reader.accept(","):
        at = reader.position(reader.token)
        option = "collation" if reader.accept("collation") else reader.column_name()
        reader.expect("=")
        if option in options:
            raise SqlSyntaxError("conflicting or redundant options", position=at)
        if option == "subtype":
            subtype = reader.type_name()
            options[option] = name
        elif option in _RANGE_OPTIONS:
            options[option] = reader.table_name()
        else:
            raise SqlSyntaxError(f'type attribute "{option}" not recognized')
    reader.expect(")")
    options.pop("subtype", None)
    return CreateRange(name, subtype, tuple(options.items()))


def _attribute(reader: StatementReader) -> tuple[str, TypeName]:
    """A name and a type."""
    name = reader.column_name()
    return name, collated(reader, reader.type_name())


def alter_type(reader: StatementReader) -> Statement:
    """What follows ALTER TYPE."""
    name = reader.table_name()
    if reader.accept("add", "value"):
        if_not_exists = reader.if_not_exists()
        label = reader.string()
        if reader.at("before", "after"):
            after = reader.advance().key == "after"
            neighbour = reader.string()
            return AlterType(name, AddLabel(label, neighbour, after, if_not_exists))
        return AlterType(name, AddLabel(label, if_not_exists=if_not_exists))
    if reader.accept("rename", "value"):
        old = reader.string()
        reader.expect("to")
        return AlterType(name, RenameLabel(old, reader.string()))
    if reader.accept("rename", "attribute"):
        old = reader.column_name()
        reader.expect("to")
        rename = RenameAttribute(old, reader.column_name())
        reader.cascade()
        return AlterType(name, rename)
    action = _moved(reader)
    if action is not None:
        return AlterType(name, action)
    return AlterType(name, AlterAttributes(tuple(reader.many(lambda: _attribute_action(reader)))))


def _attribute_action(reader: StatementReader) -> AddAttribute | DropAttribute | AlterAttribute:
    """One of what may stand side by side."""
    action: AddAttribute | DropAttribute | AlterAttribute
    if reader.accept("add", "attribute"):
        action = AddAttribute(*_attribute(reader))
    elif reader.accept("drop", "attribute"):
        if_exists = reader.if_exists()
        action = DropAttribute(reader.column_name(), if_exists)
    elif reader.accept("alter", "attribute"):
        name = reader.column_name()
        reader.accept("set", "data")
        reader.expect("type")
        action = AlterAttribute(name, reader.type_name())
    else:
        reader.fail()
    reader.cascade()
    return action


def drop_type(reader: StatementReader) -> Statement:
    """What follows DROP TYPE."""
    if_exists = reader.if_exists()
    names = reader.many(reader.table_name)
    return DropType(tuple(names), if_exists, reader.cascade())


def _moved(reader: StatementReader) -> MoveType | OwnType | None:
    """What ALTER does to types of every kind."""
    if reader.accept("rename", "to"):
        return MoveType(new_name=reader.column_name())
    if reader.accept("set", "schema"):
        return MoveType(schema=reader.column_name())
    if reader.accept("owner", "to"):
        return OwnType(reader.role_or_self())
    return None


# ------------------------------------------------------------------ domains


def create_domain(reader: StatementReader) -> Statement:
    """What follows CREATE DOMAIN."""
    name = reader.table_name()
    reader.accept("as")
    kind = reader.type_name()
    default, not_null, checks = "", None, []
    while not reader.at_end():
        token = reader.token
        if reader.accept("default"):
            if default:
                raise SqlSyntaxError(
                    "multiple default expressions", position=reader.position(token)
                )
            default = reader.expression_text(restricted=True)
            continue
        constraint = reader.column_name() if reader.accept("constraint") else ""
        if reader.at("not", "null"):
            wanted = reader.accept("not", "null") or not reader.accept("null")
            if not_null is not None and not_null != wanted:
                raise SqlSyntaxError(
                    "conflicting NULL/NOT NULL constraints", position=reader.position(token)
                )
            not_null = wanted
        elif reader.at("check"):
            checks.append((constraint, _check(reader)))
        elif reader.at("collate") and not constraint:
            kind = collated(reader, kind)
        elif reader.at("unique", "primary", "references", "generated", "exclude"):
            reader.unsupported(f"{reader.token.key.upper()} of a domain")
        else:
            reader.fail()
    return CreateDomain(name, kind, bool(not_null), default, tuple(checks))


def _check(reader: StatementReader) -> str:
    """CHECK ( expression ), as the expression's text."""
    reader.expect("check")
    reader.expect("(")
    text = reader.expression_text()
    reader.expect(")")
    return text


def alter_domain(reader: StatementReader) -> Statement:
    """What follows ALTER DOMAIN."""
    name = reader.table_name()
    action = _moved(reader)
    if action is not None:
        return AlterDomain(name, action)
    return _alter_rules(reader, name)


def _alter_rules(reader: StatementReader, name: TableName) -> Statement:
    if reader.accept("set", "default"):
        return AlterDomain(name, DomainDefault(reader.expression_text()))
    if reader.accept("drop", "default"):
        return AlterDomain(name, DomainDefault())
    if reader.accept("set", "not", "null"):
        return AlterDomain(name, DomainNotNull(not_null=True))
    if reader.accept("drop", "not", "null"):
        return AlterDomain(name, DomainNotNull(not_null=False))
    if reader.accept("drop", "constraint"):
        if_exists = reader.if_exists()
        constraint = reader.column_name()
        reader.cascade()
        return AlterDomain(name, DropDomainCheck(constraint, if_exists))
    if reader.accept("rename", "constraint"):
        constraint = reader.column_name()
        reader.expect("to")
        return AlterDomain(name, RenameDomainCheck(constraint, reader.column_name()))
    if reader.accept("add"):
        constraint = reader.column_name() if reader.accept("constraint") else ""
        check = _check(reader)
        return AlterDomain(name, AddDomainCheck(constraint, check, reader.accept("not", "valid")))
    if not reader.accept("validate", "constraint"):
        reader.fail()
    return AlterDomain(name, ValidateDomainCheck(reader.column_name()))


def drop_domain(reader: StatementReader) -> Statement:
    """What follows DROP DOMAIN."""
    if_exists = reader.if_exists()
    names = reader.many(reader.table_name)
    return DropDomain(tuple(names), if_exists, reader.cascade())

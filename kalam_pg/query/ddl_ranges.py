"""CREATE TYPE … AS RANGE, to its catalog change."""

from dataclasses import replace

from catalog.changes import CatalogChange
from catalog.changes_range import create_range
from catalog.errors import (
    DatatypeMismatchError,
    FeatureNotSupportedError,
    SqlSyntaxError,
    UndefinedFunctionError,
    UndefinedObjectError,
    WrongObjectTypeError,
)
from catalog.pg_catalog.types import COLLATIONS, default_opclass_name
from catalog.privileges import Action, require
from catalog.types.table import PgType
from kalam_pg.functions import lookup
from kalam_pg.functions.comparison import comparable
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, plan, type_namespace
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.statements import TableName
from kalam_pg.sql.statements_types import CreateRange

_DEFAULT = 100
"""pg_collation.oid of the collation that texts have."""


@plan.register
def _(statement: CreateRange, context: DdlContext) -> DdlPlan:
    namespace = type_namespace(context, statement.name)
    require(context.user, Action.CREATE_TYPE, namespace)
    if statement.subtype is None:
        raise SqlSyntaxError('type attribute "subtype" is required')
    written = replace(statement.subtype, position=0)  # Nothing is pointed at here, in PostgreSQL.
    subtype, _ = resolve_type(written, context.snapshot, context.search_path)
    if subtype.pseudo:
        raise DatatypeMismatchError(f"range subtype cannot be {subtype.sql_name}")
    options = dict(statement.options)
    _check_opclass(subtype, options.get("subtype_opclass"))
    if "canonical" in options:
        raise FeatureNotSupportedError("a canonical function of a range type is not supported")
    many = options.get("multirange_type_name")
    if many is not None and many.schema not in {"", namespace.name}:
        raise FeatureNotSupportedError("a multirange type in another schema is not supported")
    change = create_range(
        context.snapshot,
        context.ids,
        namespace.name,
        statement.name.name,
        subtype,
        _collation(subtype, options.get("collation")),
        "" if many is None else many.name,
        owner=context.user.id,
        now_us=context.now_us,
    )
    return DdlPlan(_noted(change, subtype, options.get("subtype_diff")), "CREATE TYPE")


def _check_opclass(subtype: PgType, written: TableName | None) -> None:
    if not comparable(subtype):
        raise UndefinedObjectError(
            f'data type {subtype.sql_name} has no default operator class for access method "btree"',
            hint="You must specify an operator class for the range type or define a default "
            "operator class for the subtype.",
        )
    if written is not None and written.name != default_opclass_name(subtype.name):
        raise FeatureNotSupportedError(f"operator class {written.name} is not supported")


def _collation(subtype: PgType, written: TableName | None) -> int:
    if written is None:
        return _DEFAULT if subtype.collatable else 0
    if not subtype.collatable:
        raise WrongObjectTypeError(
            "range collation specified but subtype does not support collation"
        )
    found = COLLATIONS.get(written.name)
    if found is None:
        raise UndefinedObjectError(f'collation "{written}" for encoding "UTF8" does not exist')
    return found


def _noted(change: CatalogChange, subtype: PgType, diff: TableName | None) -> CatalogChange:
    """The change, with a word on what is not used: no index here asks how far apart two values are.

    Raises UndefinedFunctionError: 42883, there is no function of that name.
    """
    if diff is None:
        return change
    if not lookup.functions(diff.name) and not lookup.known_elsewhere(diff.name):
        kind = subtype.sql_name
        raise UndefinedFunctionError(f"function {diff}({kind}, {kind}) does not exist")
    return replace(change, notices=(*change.notices, f"subtype_diff {diff} is not used here"))

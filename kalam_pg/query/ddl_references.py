"""FOREIGN KEYs of tables that are made or changed."""

from collections.abc import Iterable

from catalog.changes_references import NewReference, add_reference
from catalog.errors import WrongObjectTypeError
from catalog.model import Table
from catalog.privileges import Action, check_table
from kalam_pg.query.ddl_context import DdlContext, find_relation
from kalam_pg.sql import statements as st
from kalam_pg.sql.statements_constraints import References


def with_references(
    table: Table, constraints: Iterable[st.TableConstraint], context: DdlContext
) -> Table:
    """The table with the FOREIGN KEYs among these constraints. Raises as `add_reference`, 42P01, 42501."""
    for constraint in constraints:
        rule = constraint.references
        if rule is not None:
            new = NewReference(
                constraint.columns,
                _parent(table, rule, context),
                rule.columns,
                constraint.name,
                rule.on_update,
                rule.on_delete,
                rule.match,
                rule.set_columns,
                rule.deferrable,
                rule.deferred,
            )
            table = add_reference(context.ids, table, new)
    return table


def _parent(table: Table, rule: References, context: DdlContext) -> Table | None:
    """The table referred to; None: the one that refers."""
    name = rule.table
    there = context.snapshot.find(name.schema, name.name, context.search_path)
    named = name.name == table.name and name.schema in ("", table.namespace)
    # A table that is being made, or changed, comes before any other of that name on the path.
    if named and (there is None or there.namespace != table.namespace):
        return None
    relation = find_relation(context, name)
    if not isinstance(relation, Table) or relation.materialized is not None:
        raise WrongObjectTypeError(f'referenced relation "{relation.name}" is not a table')
    if relation.id == table.id:
        return None
    check_table(context.user, Action.SELECT, relation)
    return relation

"""Definitions: each DDL or user statement to the catalog change that it means.

Planning checks the privileges, resolves names and types and has the expressions bound; writing and
publishing the change is the transaction's.
"""

from kalam_pg.query import (
    ddl_aggregates,
    ddl_alter,
    ddl_default_privileges,
    ddl_derived,
    ddl_functions,
    ddl_grants,
    ddl_indexes,
    ddl_materialized,
    ddl_objects,
    ddl_sequences,
    ddl_types,
    ddl_users,
)
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, plan
from kalam_pg.sql.statements import Statement

__all__ = ["DdlContext", "DdlPlan", "plan_ddl"]

_REGISTERED = (
    ddl_alter,
    ddl_default_privileges,
    ddl_derived,
    ddl_aggregates,
    ddl_functions,
    ddl_grants,
    ddl_indexes,
    ddl_materialized,
    ddl_objects,
    ddl_sequences,
    ddl_types,
    ddl_users,
)
"""The modules whose functions `plan` chooses from."""


def plan_ddl(statement: Statement, context: DdlContext) -> DdlPlan:
    """The change that a DDL or user statement means. Raises what PostgreSQL would."""
    return plan(statement, context)

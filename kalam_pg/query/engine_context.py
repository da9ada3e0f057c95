"""What a worker's functions may know of the session that asks."""

from kalam_pg.functions.table import EvalContext


def engine_context(context: EvalContext) -> dict[str, object]:
    """Fields of `EvalContext` by name, as they cross a process boundary."""
    return {
        "now_us": context.now_us,
        "statement_us": context.statement_us,
        "user": context.user,
        "session_user": context.session_user,
        "database": context.database,
        "search_path": context.search_path,
        "types": context.types,
    }

"""ANALYZE, VACUUM, CHECKPOINT, REINDEX."""

from catalog.errors import SqlSyntaxError
from kalam_pg.sql.parse_session import setting_value
from kalam_pg.sql.parse_tables import option_list
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import TableName
from kalam_pg.sql.statements_maintenance import Analyze, Checkpoint, Reindex, Target, Vacuum

_ANALYZE = frozenset(("verbose", "skip_locked"))
_VACUUM = _ANALYZE | {
    "analyze",
    "full",
    "freeze",
    "disable_page_skipping",
    "process_toast",
    "truncate",
}
_WITH_OTHER_VALUES = frozenset(("index_cleanup", "parallel"))
"""Of VACUUM: AUTO, ON or OFF; a number."""

_BOOLEANS = {
    **dict.fromkeys(("true", "on", "yes", "1"), True),
    **dict.fromkeys(("false", "off", "no", "0"), False),
}


def analyze(reader: StatementReader) -> Analyze:
    """ANALYZE [(options)] [VERBOSE] [table [(columns)], …]."""
    reader.advance()
    options = _options(reader, "ANALYZE", _ANALYZE, ("verbose",))
    return Analyze(_targets(reader), options.get("verbose", False))


def vacuum(reader: StatementReader) -> Vacuum:
    """VACUUM [(options)] [FULL] [FREEZE] [VERBOSE] [ANALYZE] [table [(columns)], …]."""
    reader.advance()
    options = _options(reader, "VACUUM", _VACUUM, ("full", "freeze", "verbose", "analyze"))
    return Vacuum(
        _targets(reader),
        options.get("full", False),
        options.get("analyze", False),
        options.get("verbose", False),
    )


def checkpoint(reader: StatementReader) -> Checkpoint:
    """CHECKPOINT."""
    reader.advance()
    return Checkpoint()


def reindex(reader: StatementReader) -> Reindex:
    """REINDEX [(options)] {INDEX | TABLE | SCHEMA | DATABASE | SYSTEM} [CONCURRENTLY] name."""
    reader.advance()
    concurrently = verbose = False
    if reader.at("("):
        for name, value in option_list(reader):
            option = name.lower()
            if option not in ("verbose", "concurrently", "tablespace"):
                reader.unrecognized("REINDEX option", option)
            if option == "tablespace":
                reader.unsupported("REINDEX … TABLESPACE")
            if value.lower() not in _BOOLEANS:
                raise SqlSyntaxError(f"{option} requires a Boolean value")
            given = _BOOLEANS[value.lower()]
            verbose = given if option == "verbose" else verbose
            concurrently = given if option == "concurrently" else concurrently
    if not reader.at("index", "table", "schema", "database", "system"):
        reader.fail()
    kind = reader.advance().key
    concurrently = reader.accept("concurrently") or concurrently
    if kind in ("index", "table"):
        return Reindex(kind, reader.table_name(), concurrently, verbose)
    return Reindex(kind, TableName("", reader.column_name()), concurrently, verbose)


def _options(
    reader: StatementReader, statement: str, known: frozenset[str], words: tuple[str, ...]
) -> dict[str, bool]:
    """In parentheses in any order, or as words in theirs."""
    if not reader.at("("):
        return {word: True for word in words if _accept(reader, word)}
    given: dict[str, bool] = {}

    def option() -> None:
        name = "analyze" if _accept(reader, "analyze") else reader.label()
        if name not in known and (statement != "VACUUM" or name not in _WITH_OTHER_VALUES):
            reader.unrecognized(f"{statement} option", name)
        value = "true" if reader.at(",", ")") else setting_value(reader).lower()
        if name in known:
            if value not in _BOOLEANS:
                raise SqlSyntaxError(f"{name} requires a Boolean value")
            given[name] = _BOOLEANS[value]

    reader.parenthesised(option)
    return given


def _accept(reader: StatementReader, word: str) -> bool:
    return reader.accept(word) or (word == "analyze" and reader.accept("analyse"))


def _targets(reader: StatementReader) -> tuple[Target, ...]:
    return () if reader.at_end() else tuple(reader.many(lambda: _target(reader)))


def _target(reader: StatementReader) -> Target:
    name = reader.table_name()
    columns = reader.parenthesised(reader.column_name) if reader.at("(") else []
    return Target(name, tuple(columns))

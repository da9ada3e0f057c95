"""Transactions, settings, prepared statements, EXPLAIN."""

import re

from catalog.errors import InvalidParameterValueError, SqlSyntaxError
from catalog.types import registry as types
from catalog.types.interval import unpack_interval
from catalog.types.table import DEFAULT_CONTEXT
from kalam_pg.sql.keywords import RESERVED, TYPE_OR_FUNCTION
from kalam_pg.sql.parse_live import subscribe
from kalam_pg.sql.parse_references import set_constraints
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import (
    Begin,
    Commit,
    Deallocate,
    Discard,
    Explain,
    Explainable,
    Prepare,
    QueryStatement,
    ReleaseSavepoint,
    ResetSetting,
    Rollback,
    RollbackToSavepoint,
    Savepoint,
    SetRole,
    SetSetting,
    SetTransaction,
    Statement,
    Unsupported,
)

_LEVELS = ("serializable", "repeatable read", "read committed", "read uncommitted")
_QUOTED_LISTS = frozenset(("search_path", "temp_tablespaces", "local_preload_libraries"))
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_BOOLEANS = ("true", "on", "1", "false", "off", "0")
_SWITCHES = ("verbose", "costs", "buffers", "timing", "summary", "settings", "wal", "analyze")


# ------------------------------------------------------------------ transactions


def begin(reader: StatementReader) -> Begin:
    """BEGIN [WORK | TRANSACTION] modes, START TRANSACTION modes."""
    tag = "BEGIN"
    if reader.advance().key == "start":
        reader.expect("transaction")
        tag = "START TRANSACTION"
    else:
        _ = reader.accept("work") or reader.accept("transaction")
    isolation, read_only, deferrable = _modes(reader)
    return Begin(isolation, read_only, deferrable, tag)


def _modes(reader: StatementReader) -> tuple[str, bool | None, bool | None]:
    """transaction_mode_list: isolation level or "", read only, deferrable."""
    isolation = ""
    read_only: bool | None = None
    deferrable: bool | None = None
    first = True
    while not reader.at_end():
        if not first:
            reader.accept(",")
        first = False
        if reader.accept("isolation", "level"):
            isolation = _level(reader)
        elif reader.accept("read", "only"):
            read_only = True
        elif reader.accept("read", "write"):
            read_only = False
        elif reader.accept("deferrable"):
            deferrable = True
        elif reader.accept("not", "deferrable"):
            deferrable = False
        else:
            reader.fail()
    return isolation, read_only, deferrable


def _level(reader: StatementReader) -> str:
    for level in _LEVELS:
        if reader.accept(*level.split()):
            return level
    return reader.fail()


def _chain(reader: StatementReader) -> bool:
    _ = reader.accept("work") or reader.accept("transaction")
    if reader.accept("and", "no", "chain"):
        return False
    return reader.accept("and", "chain")


def commit(reader: StatementReader) -> Statement:
    """COMMIT | END [WORK | TRANSACTION] [AND [NO] CHAIN]."""
    if reader.advance().key == "commit" and reader.accept("prepared"):
        reader.string()
        return Unsupported("COMMIT PREPARED")
    return Commit(_chain(reader))


def rollback(reader: StatementReader) -> Statement:
    """ROLLBACK | ABORT [WORK | TRANSACTION] [AND [NO] CHAIN | TO [SAVEPOINT] name]."""
    if reader.advance().key == "rollback":
        if reader.accept("prepared"):
            reader.string()
            return Unsupported("ROLLBACK PREPARED")
        here = reader.index
        _ = reader.accept("work") or reader.accept("transaction")
        if reader.accept("to"):
            reader.accept("savepoint")
            return RollbackToSavepoint(reader.column_name())
        reader.back_to(here)
    return Rollback(_chain(reader))


def savepoint(reader: StatementReader) -> Savepoint:
    """SAVEPOINT name."""
    reader.advance()
    return Savepoint(reader.column_name())


def release(reader: StatementReader) -> ReleaseSavepoint:
    """RELEASE [SAVEPOINT] name."""
    reader.advance()
    reader.accept("savepoint")
    return ReleaseSavepoint(reader.column_name())


# ------------------------------------------------------------------ settings


def set_(reader: StatementReader) -> Statement:
    """SET in all its forms."""
    reader.advance()
    local = False
    if reader.at("session") and reader.peek().key not in ("to", "=", "."):
        reader.advance()
        if reader.accept("characteristics", "as", "transaction"):
            isolation, read_only, deferrable = _modes(reader)
            return SetTransaction(isolation, read_only, session=True, deferrable=deferrable)
        if reader.accept("authorization"):
            return _authorization(reader, local=False)
    elif reader.at("local") and reader.peek().key not in ("to", "=", "."):
        reader.advance()
        local = True
        if reader.at_words("session", "authorization"):
            reader.advance()
            reader.advance()
            return _authorization(reader, local=True)
    if reader.accept("transaction"):
        if reader.accept("snapshot"):
            reader.string()
            return Unsupported("SET TRANSACTION SNAPSHOT")
        isolation, read_only, deferrable = _modes(reader)
        return SetTransaction(isolation, read_only, deferrable=deferrable)
    if reader.accept("constraints"):
        return set_constraints(reader)
    return _special_setting(reader, local=local) or _setting(reader, local=local)


def _authorization(reader: StatementReader, *, local: bool) -> SetRole:
    if reader.accept("default"):
        return SetRole(None, local, authorization=True)
    return SetRole(reader.role_name(), local, authorization=True)


def _special_setting(reader: StatementReader, *, local: bool) -> Statement | None:
    """The settings that have a syntax of their own, None when none is here."""
    if reader.accept("time", "zone"):
        return SetSetting("timezone", _time_zone(reader), local)
    if reader.at("role") and reader.peek().key not in ("to", "=", "."):
        reader.advance()
        return SetRole(None if reader.accept("none") else reader.role_name(), local)
    if reader.at("names") and reader.peek().key not in ("to", "=", "."):
        reader.advance()
        value = None
        if not reader.at_end() and not reader.accept("default"):
            value = reader.string()
        return SetSetting("client_encoding", value, local)
    if reader.at("schema") and reader.peek().kind == "string":
        reader.advance()
        return SetSetting("search_path", _quoted(reader.string()), local)
    if reader.at("seed") and reader.peek().kind in ("number", "op"):
        reader.advance()
        reader.signed_number()
        return Unsupported("SET SEED", hint="Call setseed().")
    return None


def _time_zone(reader: StatementReader) -> str | None:
    if reader.accept("local") or reader.accept("default"):
        return None
    if reader.accept("interval"):
        return _zone_interval(reader)
    token = reader.token
    if token.kind == "number" or reader.at("-", "+"):
        return reader.signed_number()
    if token.kind == "string":
        return reader.string()
    # The zone as written: names of zones know upper case, words do not.
    value = reader.text[token.start : token.end] if token.kind == "word" else token.value
    reader.column_name()
    return value


def _zone_interval(reader: StatementReader) -> str:
    """INTERVAL 'x' [HOUR [TO MINUTE]]: the hours east as a number."""
    text = reader.string()
    unit = ""
    if reader.accept("hour"):
        unit = "minutes" if reader.accept("to", "minute") else "hours"
    elif not reader.at_end():
        raise SqlSyntaxError(
            "time zone interval must be HOUR or HOUR TO MINUTE",
            position=reader.offset + reader.token.start + 1,
        )
    plain = text.strip().lstrip("+-").isdigit()
    value = types.INTERVAL.input(f"{text} {unit}" if plain else text, -1, DEFAULT_CONTEXT)
    assert isinstance(value, bytes)
    months, days, us = unpack_interval(value)
    if months or days:
        shown = types.INTERVAL.output(value, DEFAULT_CONTEXT)
        raise InvalidParameterValueError(
            f'invalid value for parameter "TimeZone": "INTERVAL \'{shown}\'"',
            detail=f"Cannot specify {'months' if months else 'days'} in time zone interval.",
        )
    return repr(us / 3_600_000_000)


def _setting(reader: StatementReader, *, local: bool) -> Statement:
    name = _setting_name(reader)
    if reader.at_words("from", "current"):
        reader.unsupported("SET FROM CURRENT")
    if not reader.accept("to"):
        reader.expect("=")
    if reader.accept("default"):
        return SetRole(None, local) if name == "role" else SetSetting(name, None, local)
    values = reader.many(lambda: setting_value(reader))
    if name == "role" and len(values) == 1:
        return SetRole(None if values[0].lower() == "none" else values[0], local)
    if name in _QUOTED_LISTS:
        values = [_quoted(value) for value in values]
    return SetSetting(name, ", ".join(values), local)


def kept_setting(reader: StatementReader) -> tuple[str, str | None]:
    """SET name TO value | RESET name | RESET ALL, of what sessions begin with: the name, and the value."""
    if reader.at("reset"):
        statement = reset(reader)
        if isinstance(statement, ResetSetting):
            return statement.name, None
    else:
        if not reader.at("set"):
            reader.fail()
        reader.advance()
        statement = _special_setting(reader, local=False) or _setting(reader, local=False)
        if isinstance(statement, SetSetting):
            return statement.name, statement.value
    return reader.unsupported("ALTER ROLE ... SET of a role")


def _setting_name(reader: StatementReader) -> str:
    parts = [reader.column_name()]
    while reader.accept("."):
        parts.append(reader.column_name())
    return ".".join(parts)


def setting_value(reader: StatementReader) -> str:
    """A string, a signed number, or a word."""
    token = reader.token
    if token.kind == "string":
        return reader.string()
    if token.kind == "number" or reader.at("-", "+"):
        return reader.signed_number()
    if reader.at("true", "false", "on"):
        return reader.advance().value
    return reader.name_except(RESERVED)


def _quoted(name: str) -> str:
    """A name as quote_ident prints it."""
    if _PLAIN_NAME.fullmatch(name) and name not in RESERVED | TYPE_OR_FUNCTION:
        return name
    return '"' + name.replace('"', '""') + '"'


def reset(reader: StatementReader) -> Statement:
    """RESET name | ALL | ROLE | SESSION AUTHORIZATION | TIME ZONE."""
    reader.advance()
    if reader.accept("session", "authorization"):
        return SetRole(None, authorization=True, reset=True)
    name = setting_to_name(reader)
    return SetRole(None, reset=True) if name == "role" else ResetSetting(name)


def setting_to_name(reader: StatementReader) -> str:
    """What SHOW and RESET name: a setting, ALL, or one of the names of several words."""
    if reader.accept("time", "zone"):
        return "timezone"
    if reader.accept("transaction", "isolation", "level"):
        return "transaction_isolation"
    if reader.accept("all"):
        return "all"
    return _setting_name(reader)


def discard(reader: StatementReader) -> Discard:
    """DISCARD ALL | PLANS | SEQUENCES | TEMP."""
    reader.advance()
    if not reader.at("all", "plans", "sequences", "temp", "temporary"):
        reader.fail()
    what = reader.advance().key
    return Discard("temp" if what == "temporary" else what)


# ------------------------------------------------------------------ prepared statements, EXPLAIN


def prepare(reader: StatementReader) -> Statement:
    """PREPARE name [(types)] AS statement."""
    reader.advance()
    if reader.accept("transaction"):
        reader.string()
        return Unsupported("PREPARE TRANSACTION")
    name = reader.column_name()
    types = reader.parenthesised(reader.type_name) if reader.at("(") else []
    reader.expect("as")
    token = reader.token
    statement = reader.nested_statement()
    if not isinstance(statement, QueryStatement):
        reader.fail(token)
    return Prepare(name, tuple(types), statement)


def deallocate(reader: StatementReader) -> Deallocate:
    """DEALLOCATE [PREPARE] name | ALL."""
    reader.advance()
    if reader.at("prepare") and reader.peek().kind != "end":
        reader.advance()
    return Deallocate(None if reader.accept("all") else reader.column_name())


def explain(reader: StatementReader) -> Explain:
    """EXPLAIN [ANALYZE] [VERBOSE] statement, EXPLAIN (options) statement."""
    reader.advance()
    options: list[tuple[str, str]] = []
    if reader.at("(") and not reader.query_ahead():
        options = reader.parenthesised(lambda: _explain_option(reader))
    else:
        for word in ("analyze", "verbose"):
            if reader.accept(word) or (word == "analyze" and reader.accept("analyse")):
                options.append((word, "true"))
    token = reader.token
    statement: Statement
    if reader.at("subscribe"):
        statement = subscribe(reader)
    else:
        statement = reader.nested_statement()
        if not isinstance(statement, Explainable):
            reader.fail(token)
    for name, value in options:
        if name != "format" and value not in _BOOLEANS:
            raise SqlSyntaxError(f"{name} requires a Boolean value")
    analyze = dict(options).get("analyze", "false") in ("true", "on", "1")
    rest = tuple((name, value) for name, value in options if name != "analyze")
    return Explain(statement, analyze, rest)


def _explain_option(reader: StatementReader) -> tuple[str, str]:
    token = reader.token
    name = "analyze" if reader.accept("analyse") or reader.accept("analyze") else reader.label()
    if name not in (*_SWITCHES, "format"):
        reader.unrecognized("EXPLAIN option", name)
    value = "true"
    if not reader.at(",", ")"):
        value = setting_value(reader).lower()
    if name == "format" and value not in ("text", "json", "xml", "yaml"):
        raise InvalidParameterValueError(
            f'unrecognized value for EXPLAIN option "format": "{value}"',
            position=reader.offset + token.start + 1,
        )
    return name, value

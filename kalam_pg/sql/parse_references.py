"""REFERENCES … behind a column or FOREIGN KEY, and SET CONSTRAINTS."""

from dataclasses import dataclass, replace

from catalog.errors import SqlSyntaxError
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements_constraints import References, SetConstraints


@dataclass(slots=True)
class _Actions:
    """ON UPDATE and ON DELETE as far as they are read."""

    on_update: str = ""
    on_delete: str = ""
    set_columns: tuple[str, ...] = ()


def references(reader: StatementReader) -> References:
    """Behind REFERENCES, without DEFERRABLE and its kin."""
    table = replace(reader.table_name(), position=0)
    columns = tuple(reader.parenthesised(reader.column_name)) if reader.at("(") else ()
    match = "s"
    if reader.accept("match"):
        if reader.at("partial"):
            reader.unsupported("MATCH PARTIAL")
        match = "f" if reader.accept("full") else "s"
        if match == "s" and not reader.accept("simple"):
            reader.fail()
    actions = _Actions()
    while reader.at("on"):
        _action(reader, actions)
    return References(
        table,
        columns,
        match,
        actions.on_update or "a",
        actions.on_delete or "a",
        actions.set_columns,
    )


def _action(reader: StatementReader, actions: _Actions) -> None:
    reader.expect("on")
    token = reader.token
    on_update = reader.at("update")
    if not on_update and not reader.at("delete"):
        reader.fail()
    reader.advance()
    if actions.on_update if on_update else actions.on_delete:
        reader.fail(token)
    action = _what(reader)
    if on_update:
        actions.on_update = action
        return
    actions.on_delete = action
    if action in "nd" and reader.at("("):
        actions.set_columns = tuple(reader.parenthesised(reader.column_name))


def _what(reader: StatementReader) -> str:
    for words, action in (
        (("no", "action"), "a"),
        (("restrict",), "r"),
        (("cascade",), "c"),
        (("set", "null"), "n"),
        (("set", "default"), "d"),
    ):
        if reader.accept(*words):
            return action
    return reader.fail()


def attributes(reader: StatementReader) -> tuple[bool, bool]:
    """[NOT] DEFERRABLE and INITIALLY DEFERRED | IMMEDIATE: (deferrable, initially deferred)."""
    deferrable: bool | None = None
    deferred: bool | None = None
    while True:
        token = reader.token
        if reader.accept("not", "deferrable"):
            given, deferrable = deferrable, False
        elif reader.accept("deferrable"):
            given, deferrable = deferrable, True
        elif reader.accept("initially", "immediate"):
            given, deferred = deferred, False
        elif reader.accept("initially", "deferred"):
            given, deferred = deferred, True
        else:
            break
        if given is not None:
            kind = (
                "INITIALLY IMMEDIATE/DEFERRED"
                if token.key == "initially"
                else ("DEFERRABLE/NOT DEFERRABLE")
            )
            raise SqlSyntaxError(
                f"multiple {kind} clauses not allowed", position=reader.position(token)
            )
        if deferrable is False and deferred:
            raise SqlSyntaxError(
                "constraint declared INITIALLY DEFERRED must be DEFERRABLE",
                position=reader.position(token),
            )
    return bool(deferrable or deferred), bool(deferred)


def set_constraints(reader: StatementReader) -> SetConstraints:
    """Behind SET CONSTRAINTS."""
    names = () if reader.accept("all") else tuple(reader.many(reader.table_name))
    if not reader.at("deferred", "immediate"):
        reader.fail()
    return SetConstraints(names, reader.advance().key == "deferred")

"""A view's query as PostgreSQL shows it: analysed, and written anew under today's names.

A view keeps the text that it was made of, and sees what it reads as that was called then
(`catalog.changes_depend`). What is shown is that text's meaning: every type resolved, `*` spread, each
column with its relation's name (`rule_text`). Where something in it has no form there yet, it is the text
itself, with today's names for what it reads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlglot import exp

from catalog.changes_depend import NAMELESS, Then
from catalog.model import Relation, View
from catalog.pg_catalog.text import as_written, qualified, quote_identifier
from catalog.snapshot import Snapshot
from kalam_pg.sql.analyse import Analysis, Unshown
from kalam_pg.sql.analyse_query import analyse_query
from kalam_pg.sql.bind_query import query_at
from kalam_pg.sql.lexer import Token, tokenize
from kalam_pg.sql.parse import parse
from kalam_pg.sql.rule_text import QueryText
from kalam_pg.sql.scope import Binding, BindScope, Level, Named
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.sql.traced import Trace
from kalam_pg.sql.tree import OutputColumn
from kalam_pg.sql.type_text import type_text
from storage.errors import KalamError


class _Edit(NamedTuple):
    """What goes in the place of [start, end)."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Form:
    """How a definition is shown. pretty: without parentheses that nobody needs. wrap: how long lines may be;
    0: each column has one of its own, -1: they are not broken.
    """

    pretty: bool = False
    wrap: int = 0


def current_text(
    view: View,
    snapshot: Snapshot,
    search_path: Sequence[str],
    virtual: Callable[[str, str], tuple[OutputColumn, ...] | None],
    form: Form = Form(),
) -> str:
    """The view's query with the present names of what it reads; search_path: of who is shown it.

    virtual: as in `BindScope`. The text as it is, where it cannot be read any more.
    """
    path = (view.namespace, *(s for s in search_path if s != view.namespace))
    scope = BindScope(Then(snapshot, view.names, view.reads), path, virtual)
    state = Binding(scope, view.query, trace=Trace())
    try:
        (statement,) = parse(view.query)
        assert isinstance(statement, QueryStatement)
        query_at(Level(state), statement.tree)
    except KalamError:
        return as_written(view)
    try:
        return shown_query(state, statement.tree, view, snapshot, search_path, form)
    except (Unshown, KalamError):
        return _renamed_text(view, state, snapshot, search_path)


def shown_query(
    state: Binding,
    tree: exp.Expr,
    view: View,
    snapshot: Snapshot,
    search_path: Sequence[str],
    form: Form,
) -> str:
    """A bound query of a view as PostgreSQL writes it. Raises `Unshown`."""
    assert state.trace is not None
    analysis = Analysis(state, state.trace, snapshot, search_path)
    query = analyse_query(analysis, tree)
    text = QueryText(
        lambda kind, typmod: type_text(kind, typmod, search_path),
        pretty=form.pretty, prefix=True, wrap=form.wrap,
    )  # fmt: skip
    # A rule's query has two relations more, which are never to be seen.
    text.around = ("old", "new")
    columns = [column.name for column in view.columns if column.name != "_rowid"]
    text.query(query, visible=True, columns=columns)
    return "".join(text.parts)


def _renamed_text(
    view: View, state: Binding, snapshot: Snapshot, search_path: Sequence[str]
) -> str:
    """The text as it was written, with the present names of what it reads."""
    tokens = tokenize(view.query)
    edits = [
        edit
        for start, named in state.named.items()
        for edit in _edits(tokens, start, named, snapshot, search_path)
    ]
    text = view.query
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return as_written(replace(view, query=text))


def _edits(
    tokens: Sequence[Token],
    start: int,
    named: Named,
    snapshot: Snapshot,
    search_path: Sequence[str],
) -> list[_Edit]:
    """What becomes of a reference to a relation: its name, and an alias for what it was called then."""
    then = named.relation
    now: Relation | None = snapshot.tables.get(then.id) or snapshot.views.get(then.id)
    if now is None:
        return []
    at = next(i for i, token in enumerate(tokens) if token.start == start)
    while tokens[at].key in ("only", "("):
        at += 1
    last = at
    while _key(tokens, last + 1) == ".":
        last += 2
    bare = snapshot.find("", now.name, search_path) is now
    name = quote_identifier(now.name) if bare else qualified(now.namespace, now.name)
    edits = [_Edit(tokens[at].start, tokens[last].end, name)]
    columns = _renamed(then, now) if not named.columns else ""
    behind = last + 1
    while _key(tokens, behind) in ("*", ")") and (_key(tokens, behind) == "*" or named.only):
        behind += 1
    end = tokens[behind - 1].end
    if named.alias:
        behind += _key(tokens, behind) == "as"
        end = tokens[behind].end
        return [*edits, _Edit(end, end, columns)] if columns else edits
    if columns or then.name != now.name:
        edits.append(_Edit(end, end, f" AS {quote_identifier(then.name)}{columns}"))
    return edits


def _renamed(then: Relation, now: Relation) -> str:
    """The columns' names of then, in parentheses, if one of them is called otherwise now."""
    known = {column.id: column.name for column in then.columns if column.name != NAMELESS}
    kept = [column for column in now.columns if column.id in known and column.name != "_rowid"]
    if all(known[column.id] == column.name for column in kept):
        return ""
    return f"({', '.join(quote_identifier(known[column.id]) for column in kept)})"


def _key(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].key if at < len(tokens) else ""

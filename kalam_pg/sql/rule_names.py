"""What a shown query calls its relations and their columns: names that are clear where they stand.

The names are those that were written, or today's of what has none; where one is taken already a number goes
behind it, as ruleutils.c does it. Columns that USING merges are called alike on both sides.
"""

from collections.abc import Iterable, Sequence

from kalam_pg.sql.analysed import JoinItem, Query, Rel

_NAME_BYTES_MAX = 63


def name_relations(query: Query, around: Iterable[str]) -> list[str]:
    """Give every relation of a query its name and those of its columns; the names, of its joins too.

    around: names of the relations of the queries around it.
    """
    taken = dict.fromkeys(around, 0)
    for rel in query.rels:
        wanted = rel.alias or rel.called
        rel.name = _unused(wanted, taken) if wanted else ""
    unique = any(map(_is_dangerous, query.from_))
    merged: list[str] = []
    for rel in query.rels:
        rel.shown = [None] * len(rel.columns)
        rel.above = ()
    joins: dict[int, JoinItem] = {}
    for item in query.from_:
        _name_merged(item, (), merged, joins, unique=unique)
    for rel in query.rels:
        join = joins.get(id(rel))
        if join is None:
            _name_columns(rel, merged)
        else:
            _name_join(join, merged)
    return [rel.name for rel in query.rels if rel.name]


def written_names(rel: Rel) -> list[str | None]:
    """What a text calls the columns of a relation: as its alias does, or as they were called then."""
    aliases = iter(rel.aliases)
    return [None if name is None else next(aliases, name) for name in rel.then]


def _unused(name: str, taken: dict[str, int]) -> str:
    if name not in taken:
        taken[name] = 0
        return name
    while True:
        taken[name] += 1
        tried = _numbered(name, taken[name])
        if tried not in taken:
            taken[tried] = 0
            return tried


def _numbered(name: str, number: int) -> str:
    behind = f"_{number}"
    kept = name.encode()[: _NAME_BYTES_MAX - len(behind)].decode(errors="ignore")
    return kept + behind


def _is_dangerous(item: Rel | JoinItem) -> bool:
    """Whether a column that USING merges has no relation's name to go before it."""
    if isinstance(item, Rel):
        return False
    if item.dangerous and not item.rel.alias:
        return True
    return _is_dangerous(item.left) or _is_dangerous(item.right)


def _rel_of(item: Rel | JoinItem) -> Rel:
    return item if isinstance(item, Rel) else item.rel


def _name_merged(
    item: Rel | JoinItem,
    above: tuple[str, ...],
    merged: list[str],
    joins: dict[int, JoinItem],
    *,
    unique: bool,
) -> None:
    """Choose the names of the columns that USING merges, from the outermost join in."""
    if isinstance(item, Rel):
        return
    rel, left, right = item.rel, _rel_of(item.left), _rel_of(item.right)
    joins[id(rel)] = item

    def push(at: int, name: str) -> None:
        for side, place in zip((left, right), item.sides[at], strict=True):
            if place >= 0:
                side.shown[place] = name

    if not rel.alias:
        for at, name in enumerate(rel.shown):
            if name is not None:
                push(at, name)
    for at, written in enumerate(item.using):
        name = rel.shown[at]
        if name is None:
            wanted = rel.aliases[at] if at < len(rel.aliases) else written
            name = _unique(wanted, rel, merged)
            if unique:
                merged.append(name)
            rel.shown[at] = name
        above = (*above, name)
        push(at, name)
    left.above = right.above = above
    _name_merged(item.left, above, merged, joins, unique=unique)
    _name_merged(item.right, above, merged, joins, unique=unique)


def _unique(name: str, rel: Rel, merged: Sequence[str]) -> str:
    taken = {*rel.shown, *merged, *rel.above}
    tried, number = name, 0
    while tried in taken:
        number += 1
        tried = _numbered(name, number)
    return tried


def _wanted(rel: Rel, real: Sequence[str | None]) -> list[str | None]:
    """What the columns are to be called: as the alias of the relation does, or as they really are."""
    aliases = iter(rel.aliases)
    return [
        name if then is None else next(aliases, name)
        for name, then in zip(real, rel.then, strict=True)
    ]


def _choose(rel: Rel, real: Sequence[str | None], merged: Sequence[str]) -> bool:
    """Name the columns that have no name yet, the oldest first; whether any is not as it really is."""
    wanted = _wanted(rel, real)
    old = [at for at, then in enumerate(rel.then) if then is not None]
    new = [at for at, then in enumerate(rel.then) if then is None]
    for at in (*old, *new):
        name = wanted[at]
        if name is not None and rel.shown[at] is None:
            rel.shown[at] = _unique(name, rel, merged)
    return rel.shown != [*real]


def _name_columns(rel: Rel, merged: Sequence[str]) -> None:
    changed = _choose(rel, rel.columns, merged)
    if rel.kind == "relation":
        rel.prints = changed
    else:
        rel.prints = rel.kind == "function" or bool(rel.aliases) or changed


def _name_join(join: JoinItem, merged: Sequence[str]) -> None:
    rel, left, right = join.rel, _rel_of(join.left), _rel_of(join.right)
    real = [left.shown[here] if here >= 0 else right.shown[there] for here, there in join.sides]
    real[: len(join.using)] = rel.shown[: len(join.using)]
    if rel.alias:
        rel.prints = _choose(rel, real, merged)
    else:
        rel.shown = real

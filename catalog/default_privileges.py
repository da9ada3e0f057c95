"""ALTER DEFAULT PRIVILEGES: what objects that a role will make are granted as they are made.

S | "default_acl" | user id  -> [[OID, namespace id, kind, public, grants], …]

namespace id: 0 for all. What is said of all begins with what a new object has anyway; what is said of a
namespace is granted beside it. An entry of a namespace that has been dropped means nothing any more.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from catalog import changes, changes_function, codec
from catalog.changes import CatalogChange
from catalog.difference import Difference
from catalog.errors import ConfigurationLimitExceededError
from catalog.functions import Function
from catalog.ids import Ids
from catalog.model import Grant, Namespace, NumberSequence, Table, UserType
from catalog.snapshot import Snapshot
from storage.keys import system_key

Get = Callable[[bytes], bytes | None]
T = TypeVar("T")
Owned = Table | NumberSequence | Function | UserType | Namespace

TABLES, SEQUENCES, FUNCTIONS, TYPES, SCHEMAS = "r", "S", "f", "T", "n"
"""pg_default_acl.defaclobjtype."""

PUBLIC_TOO = (FUNCTIONS, TYPES)
"""What everybody may use unless it is revoked."""

EVERYWHERE = 0
GRANTS_MAX = 1000
"""Of one role: each object that it makes reads them."""

PREFIX = system_key("default_acl")


@dataclass(frozen=True, slots=True)
class DefaultAcl:
    """What a role's new objects of a kind are granted, in a namespace or EVERYWHERE.

    public: everybody has what everybody has of a new one.
    """

    oid: int
    namespace: int
    kind: str
    public: bool = True
    grants: tuple[Grant, ...] = ()


def acl_key(user: int) -> bytes:
    """Where the default privileges of a user's objects lie."""
    return system_key("default_acl", user)


def read(get: Get, user: int) -> list[DefaultAcl]:
    """What is said of a user's objects."""
    data = get(acl_key(user))
    return [] if data is None else _decoded(data)


def _decoded(data: bytes) -> list[DefaultAcl]:
    return [
        DefaultAcl(oid, namespace, kind, public, codec.read_grants(grants))
        for oid, namespace, kind, public, grants in codec.decode(data)
    ]


def listed(
    entries: Iterable[tuple[bytes, bytes]], users: Iterable[int]
) -> Iterator[tuple[int, DefaultAcl]]:
    """(user id, entry) of all that is said of these users' objects."""
    stored = dict(entries)
    for user in users:
        for one in _decoded(data) if (data := stored.get(acl_key(user))) else ():
            yield user, one


@dataclass(frozen=True, slots=True)
class Said:
    """GRANT or REVOKE of privileges on new objects of a kind, in namespaces or EVERYWHERE."""

    namespaces: tuple[int, ...]
    kind: str
    grant: bool
    privileges: Sequence[str]
    grantees: Sequence[int | str]
    grantor: int


def change(snapshot: Snapshot, get: Get, ids: Ids, user: int, said: Said) -> CatalogChange:
    """It is said of what a user makes from now on. Raises 53400 when that becomes too much."""
    there = {n.id for n in snapshot.namespaces.values()} | {EVERYWHERE}
    known = {(one.namespace, one.kind): one for one in read(get, user) if one.namespace in there}
    for namespace in said.namespaces:
        place = namespace, said.kind
        known[place] = _changed(known.get(place) or DefaultAcl(ids.oids(), *place), said)
    kept = [one for one in known.values() if one.grants or not one.public]
    if said.grant and sum(len(one.grants) for one in kept) > GRANTS_MAX:
        raise ConfigurationLimitExceededError("too many default privileges for one role")
    fields = [
        [one.oid, one.namespace, one.kind, one.public, codec.grant_fields(one.grants)]
        for one in kept
    ]
    return CatalogChange(snapshot, ((acl_key(user), codec.encode(fields) if fields else None),))


def _changed(one: DefaultAcl, said: Said) -> DefaultAcl:
    grantees = dict.fromkeys(said.grantees)
    if "PUBLIC" in grantees and one.namespace == EVERYWHERE and one.kind in PUBLIC_TOO:
        del grantees["PUBLIC"]
        one = replace(one, public=said.grant)
    named = {(who, what): None for who in grantees for what in said.privileges}
    if not said.grant:
        kept = [g for g in one.grants if (g.grantee, g.privilege) not in named]
        return replace(one, grants=tuple(kept))
    known = {(g.grantee, g.privilege) for g in one.grants}
    more = [Grant(who, what, said.grantor) for who, what in named if (who, what) not in known]
    return replace(one, grants=(*one.grants, *more))


# ------------------------------------------------------------------ what is made


def applied(before: Snapshot, change: CatalogChange, made: Difference, get: Get) -> CatalogChange:
    """A change with what its new objects are granted as their owners' default privileges say.

    before: the catalogue that it was made in; made: what it changes there. Rows of a USER table are
    everybody's own, and nobody else can name what is temporary: neither takes grants.
    """
    known: dict[int, list[DefaultAcl]] = {}
    for one, kind, namespace in _new(before, made):
        if one.owner not in known:
            known[one.owner] = read(get, one.owner)
        there = change.snapshot.namespaces.get(namespace)
        places = (EVERYWHERE, there.id if there is not None else EVERYWHERE)
        acls = [a for a in known[one.owner] if a.kind == kind and a.namespace in places]
        if acls:
            step = _granted(change.snapshot, one, acls)
            created = tuple([step.snapshot.tables[t.id] for t in change.created])
            puts = (*change.puts, *step.puts)
            change = replace(change, snapshot=step.snapshot, puts=puts, created=created)
    return change


def _new(before: Snapshot, made: Difference) -> Iterator[tuple[Owned, str, str]]:
    """What was not there: it, its kind, and the name of its namespace ("" of a namespace)."""
    for table in _fresh(made.tables, before.tables):
        if not (table.per_user or table.temporary):
            yield table, TABLES, table.namespace
    for sequence in _fresh(made.sequences, before.sequences):
        if not sequence.temporary:
            yield sequence, SEQUENCES, sequence.namespace
    for function in _fresh(made.functions, before.functions):
        yield function, FUNCTIONS, function.namespace
    for kind in _fresh(made.types, before.types):
        yield kind, TYPES, kind.namespace
    if made.namespaces:
        there = {n.id for n in before.namespaces.values()}
        for namespace in made.namespaces.values():
            if namespace is not None and namespace.id not in there:
                yield namespace, SCHEMAS, ""


def _fresh(made: Mapping[int, T | None], before: Mapping[int, T]) -> Iterator[T]:
    return (one for key, one in made.items() if one is not None and key not in before)


def _granted(snapshot: Snapshot, one: Owned, acls: Sequence[DefaultAcl]) -> CatalogChange:
    grants = {(g.grantee, g.privilege): g for acl in acls for g in acl.grants}
    kept = tuple(grants.values())
    if isinstance(one, Table):
        return changes.put_relation(snapshot, replace(one, grants=kept))
    if isinstance(one, NumberSequence):
        return changes.put_sequence(snapshot, replace(one, grants=kept))
    if isinstance(one, Namespace):
        return changes.put_namespace(snapshot, replace(one, grants=kept))
    public = all(acl.public for acl in acls) or any(who == "PUBLIC" for who, _ in grants)
    others = tuple([g for (who, _), g in grants.items() if who != "PUBLIC"])
    if isinstance(one, Function):
        return changes_function.put_function(snapshot, replace(one, public=public, grants=others))
    return changes.put_type(snapshot, replace(one, public=public, grants=others))

"""Access control lists as PostgreSQL's catalogues have them: aclitem[], as text.

An item is `grantee=privileges/grantor`, one letter a privilege; no grantee is PUBLIC. NULL stands for what
a new object has (`acldefault`). A grant counts as its object's owner's, as one by a superuser does there.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from catalog.default_privileges import EVERYWHERE, SEQUENCES, DefaultAcl
from catalog.errors import InvalidParameterValueError
from catalog.model import Grant, Namespace
from catalog.pg_catalog.visible import Visible
from storage.layout import Value

LETTERS: Final[Mapping[str, str]] = {
    "INSERT": "a", "SELECT": "r", "UPDATE": "w", "DELETE": "d", "TRUNCATE": "D", "REFERENCES": "x",
    "TRIGGER": "t", "EXECUTE": "X", "USAGE": "U", "CREATE": "C", "TEMPORARY": "T", "CONNECT": "c",
    "SET": "s", "ALTER SYSTEM": "A",
}  # fmt: skip

PRIVILEGES: Final[Mapping[str, str]] = {letter: name for name, letter in LETTERS.items()}

TABLE, SEQUENCE, SCHEMA, TYPE = "r", "s", "n", "T"

_OWNER: Final[Mapping[str, str]] = {
    "c": "", TABLE: "arwdDxt", SEQUENCE: "rwU", "d": "CTc", "f": "X", "l": "U", "L": "rw", SCHEMA: "UC",
    "t": "C", "F": "U", "S": "U", TYPE: "U", "p": "sA",
}  # fmt: skip
"""What the owner of a new object has, by acldefault's letter for its kind."""

_EVERYBODY: Final[Mapping[str, str]] = {"d": "Tc", "f": "X", "l": "U", TYPE: "U"}
"""What everybody has."""


def default_items(kind: str, owner: str) -> tuple[str, ...]:
    """acldefault(): what NULL stands for. Raises 22023 for a kind that there is not."""
    if kind not in _OWNER:
        raise InvalidParameterValueError(f"unrecognized object type abbreviation: {kind}")
    by = put_name(owner)
    world = _EVERYBODY.get(kind, "")
    items = [f"={world}/{by}"] if world else []
    if _OWNER[kind]:
        items.append(f"{by}={_OWNER[kind]}/{by}")
    return tuple(items)


def items(
    visible: Visible, kind: str, owner: int, grants: Iterable[Grant], *, public: bool = True
) -> tuple[str, ...] | None:
    """The list of an object of a kind whose owner has an id; None where nothing was granted or revoked.

    public: everybody has what everybody has of a new one. Others are shown to those only who may see them.
    """
    by_grantee: dict[int | str, set[str]] = {}
    for grant in grants:
        by_grantee.setdefault(grant.grantee, set()).add(LETTERS[grant.privilege])
    if not by_grantee and public:
        return None
    by = put_name(visible.user_name(visible.owner_oid(owner)) or "")
    world = _EVERYBODY.get(kind, "") if public else ""
    found = [f"={world}/{by}"] if world else []
    found.append(f"{by}={_OWNER[kind]}/{by}")
    for grantee, letters in by_grantee.items():
        name = _grantee(visible, grantee)
        if name is not None:
            given = "".join(letter for letter in PRIVILEGES if letter in letters)
            found.append(f"{name}={given}/{by}")
    return tuple(found)


def of_namespace(visible: Visible, namespace: Namespace) -> Value:
    """pg_namespace.nspacl. Everybody has USAGE on `public`, as in PostgreSQL."""
    granted = items(visible, SCHEMA, namespace.owner, namespace.grants)
    if namespace.name != "public":
        return granted
    by = put_name(visible.user_name(visible.owner_oid(namespace.owner)) or "")
    owners, *others = granted or (f"{by}={_OWNER[SCHEMA]}/{by}",)
    if not any(other.startswith("=") for other in others):
        others.insert(0, f"=U/{by}")
    return (owners, *others)


def of_default(visible: Visible, owner: int, acl: DefaultAcl) -> Value:
    """pg_default_acl.defaclacl: of a namespace, what is granted beside what a new object has anyway."""
    kind = SEQUENCE if acl.kind == SEQUENCES else acl.kind
    if acl.namespace == EVERYWHERE:
        return items(visible, kind, owner, acl.grants, public=acl.public)
    _, *granted = items(visible, kind, owner, acl.grants, public=False) or ("",)
    return tuple(granted)


def _grantee(visible: Visible, grantee: int | str) -> str | None:
    """Its name; None: it is nobody any more, or somebody whom one may not see."""
    if isinstance(grantee, str):
        return "" if grantee == "PUBLIC" else put_name(grantee)
    user = visible.find_user(grantee)
    if user is None or not (visible.sees_users or user.id == visible.user.id):
        return None
    return put_name(user.name)


def put_name(name: str) -> str:
    """A role's name as an aclitem has it: quoted unless it is letters, digits and underscores."""
    plain = all(c == "_" or (c.isascii() and c.isalnum()) for c in name)
    return name if plain else '"' + name.replace('"', '""') + '"'


def exploded(item: str) -> list[tuple[str, str, str, bool]]:
    """(grantor, grantee, privilege, whether it may be passed on) of each privilege of an item."""
    grantee, rest = _name(item)
    letters, _, by = rest.removeprefix("=").partition("/")
    grantor, _ = _name(by)
    found = []
    for at, letter in enumerate(letters):
        if letter != "*":
            found.append((grantor, grantee, PRIVILEGES[letter], letters[at + 1 : at + 2] == "*"))
    return found


def _name(text: str) -> tuple[str, str]:
    """The name that a text begins with, and what follows."""
    if not text.startswith('"'):
        end = next((at for at, c in enumerate(text) if c in "=/"), len(text))
        return text[:end], text[end:]
    end = 1
    while (end := text.index('"', end)) >= 0 and text[end + 1 : end + 2] == '"':
        end += 2
    return text[1:end].replace('""', '"'), text[end + 1 :]

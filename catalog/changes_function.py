"""CREATE and ALTER FUNCTION as pure functions: a snapshot and what is wanted, to a `CatalogChange`."""

from collections.abc import Sequence
from dataclasses import replace

from catalog import codec_functions
from catalog.changes import CatalogChange, require_namespace, stored
from catalog.difference import Difference
from catalog.errors import (
    DuplicateFunctionError,
    InvalidFunctionDefinitionError,
    WrongObjectTypeError,
)
from catalog.functions import Function
from catalog.ids import Ids
from catalog.model import Grant
from catalog.pg_catalog.text import quote_identifier
from catalog.snapshot import Snapshot


def create_function(
    snapshot: Snapshot, ids: Ids, wanted: Function, *, or_replace: bool = False
) -> CatalogChange:
    """CREATE [OR REPLACE] FUNCTION. The id of what is wanted is 0.

    Raises 42723 when there is one of that name and those types, 42809 and 42P13 when it cannot become what
    is wanted.
    """
    require_namespace(snapshot, wanted.namespace)
    there = snapshot.function_of(wanted.namespace, wanted.name, wanted.signature)
    if there is None:
        return put_function(snapshot, replace(wanted, id=ids.oids()))
    if not or_replace:
        raise DuplicateFunctionError(
            f'function "{wanted.name}" already exists with same argument types'
        )
    _check_replaced(snapshot, there, wanted)
    kept = replace(
        wanted,
        id=there.id,
        owner=there.owner,
        created_at_us=there.created_at_us,
        comment=there.comment,
        public=there.public,
        grants=there.grants,
    )
    return put_function(snapshot, kept)


_KINDS = {"f": "a function", "p": "a procedure", "a": "an aggregate function"}


def _check_replaced(snapshot: Snapshot, old: Function, new: Function) -> None:
    """PostgreSQL's `ProcedureCreate`: what calls rely on stays."""
    if old.kind != new.kind:
        raise WrongObjectTypeError(
            "cannot change routine kind", detail=f'"{old.name}" is {_KINDS[old.kind]}.'
        )
    hint = f"Use DROP {old.what.upper()} {described(snapshot, old)} first."
    if (old.result, old.returns_set) != (new.result, new.returns_set):
        what = "whether a procedure has output parameters"
        if old.kind != "p":
            what = "return type of existing function"
        raise InvalidFunctionDefinitionError(f"cannot change {what}", hint=hint)
    if [(p.type, p.name) for p in old.outputs] != [(p.type, p.name) for p in new.outputs]:
        raise InvalidFunctionDefinitionError(
            "cannot change return type of existing function",
            detail="Row type defined by OUT parameters is different.",
            hint=hint,
        )
    for before, after in zip(old.inputs, new.inputs, strict=True):
        if before.name and before.name != after.name:
            raise InvalidFunctionDefinitionError(
                f'cannot change name of input parameter "{before.name}"', hint=hint
            )
        if before.default and not after.default:
            raise InvalidFunctionDefinitionError(
                "cannot remove parameter defaults from existing function", hint=hint
            )


def described(snapshot: Snapshot, function: Function) -> str:
    """As messages show it: `f(integer,text)`."""
    types = [snapshot.type_by_oid(oid) for oid in function.signature]
    shown = ",".join(
        [
            f"{oid}" if t is None else t.sql_name
            for t, oid in zip(types, function.signature, strict=True)
        ]
    )
    return f"{quote_identifier(function.name)}({shown})"


def move_function(
    snapshot: Snapshot, function: Function, namespace: str, name: str
) -> CatalogChange:
    """RENAME TO, SET SCHEMA. Raises 42723, 3F000."""
    if (namespace, name) == (function.namespace, function.name):
        return CatalogChange(snapshot)
    require_namespace(snapshot, namespace)
    if snapshot.function_of(namespace, name, function.signature) is not None:
        shown = described(snapshot, replace(function, name=name))
        raise DuplicateFunctionError(f'function {shown} already exists in schema "{namespace}"')
    return put_function(snapshot, replace(function, namespace=namespace, name=name))


def grant_execute(
    snapshot: Snapshot,
    function: Function,
    grantees: Sequence[int | str],
    grantor: int,
    *,
    grant: bool,
) -> CatalogChange:
    """EXECUTE on a function, which everybody has until it is revoked from PUBLIC."""
    public = grant if "PUBLIC" in grantees else function.public
    others = [who for who in grantees if who != "PUBLIC"]
    kept = tuple(g for g in function.grants if g.grantee not in others)
    if grant:
        kept += tuple(Grant(who, "EXECUTE", grantor) for who in dict.fromkeys(others))
    return put_function(snapshot, replace(function, public=public, grants=kept))


def put_function(snapshot: Snapshot, function: Function) -> CatalogChange:
    """The change that stores one new or changed function."""
    changed = snapshot.laid_over(Difference({}, {}, {}, functions={function.id: function}))
    put = (codec_functions.function_key(function.id), codec_functions.encode_function(function))
    return stored(changed, [put])

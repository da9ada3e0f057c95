"""What json_to_record and its kin are made of: the objects of a document, and a member as text.

The binder (`sql.bind_records`) makes a query of them: one row an object, one column a member, each read
by its type's input function. Their names have blanks in them: no SQL text can call them.
"""

from collections.abc import Iterator

from catalog.errors import (
    InvalidParameterValueError,
    InvalidTextRepresentationError,
    StringDataRightTruncationError,
)
from catalog.types.registry import JSON, JSONB, TEXT
from kalam_pg.functions import jsontext
from kalam_pg.functions.define import Datum, function, returns_set
from kalam_pg.functions.jsonvalues import dump, parse
from kalam_pg.functions.table import Overload

RECORDS, FIELD = {"json": "json records", "jsonb": "jsonb records"}, "json field"


def _records(document: str | None, name: str) -> Iterator[str | None]:
    """The objects that the function `name` makes rows of; one row of NULLs for none."""
    if document is None:
        if not name.endswith("set"):
            yield None
        return
    kind = jsontext.kind(document)
    if not name.endswith("set"):
        if kind != "object":
            noun = "an array" if kind == "array" else "a scalar"
            raise InvalidParameterValueError(f"cannot call populate_composite on {noun}")
        yield document
        return
    if kind != "array":
        noun = "an object" if kind == "object" else "a scalar"
        if name.startswith("jsonb"):
            noun = "a non-array"
        raise InvalidParameterValueError(f"cannot call {name} on {noun}")
    for item in jsontext.elements(document):
        if jsontext.kind(item) != "object":
            raise InvalidParameterValueError(f"argument of {name} must be an array of objects")
        yield item


def _field(document: str | None, key: str, kind: str) -> str | None:
    """A member as what its column's type is read from. kind: json | array | text, or the type's
    SQL name and its length: `character varying 3`.
    """
    found = None if document is None else jsontext.member(document, key)
    if found is None or jsontext.kind(found) == "null":
        return None
    if kind == "json":
        return found
    if kind == "array" and jsontext.kind(found) != "string":
        value = parse(found)
        if not isinstance(value, list):
            raise InvalidTextRepresentationError(
                "expected JSON array", hint=f'See the value of key "{key}".'
            )
        return _array_literal(value)
    text = jsontext.unquoted(found)
    name, _, length = kind.rpartition(" ")
    if name and text is not None and text[int(length) :].strip(" "):
        raise StringDataRightTruncationError(f"value too long for type {name}({length})")
    return text


def _array_literal(items: list[Datum]) -> str:
    parts = []
    for item in items:
        if item is None:
            parts.append("NULL")
        elif isinstance(item, list):
            parts.append(_array_literal(item))
        else:
            shown = item if isinstance(item, str) else dump(item)
            escaped = shown.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'"{escaped}"')
    return "{" + ",".join(parts) + "}"


OVERLOADS: tuple[Overload, ...] = tuple(
    overload
    for t in (JSON, JSONB)
    for overload in (
        returns_set(RECORDS[t.name], (t, TEXT), t, _records, strict=False),
        function(FIELD, (t, TEXT, TEXT), TEXT, _field, strict=False),
    )
)

"""json_populate_record and its kin: rows of a composite type made of JSON documents.

A value of JSON becomes one of a field's type as PostgreSQL's populate_record_field has it: objects rows,
arrays arrays, anything else what the type's input function makes of its text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalog.errors import (
    DatatypeMismatchError,
    FeatureNotSupportedError,
    InvalidParameterValueError,
    InvalidTextRepresentationError,
)
from catalog.types.array import nest
from catalog.types.composite import CompositeDefinition, composite_of, pack, unpack
from catalog.types.domain import DomainDefinition
from catalog.types.records import Record
from catalog.types.registry import ANYELEMENT, BOOL, JSON, JSONB, RECORD, TEXT
from catalog.types.table import PgType, TypeContext
from kalam_pg.functions import jsontext
from kalam_pg.functions.define import Datum, function, returns_set
from kalam_pg.functions.table import EvalContext, Overload, Volatility

Types = tuple[PgType, ...]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads values; `key` is the member that is read, for hints."""

    context: TypeContext
    key: str = ""

    def value(self, text: str, kind: PgType, typmod: int, base: Datum = None) -> Datum:
        """One of a type, not null; base: what was there.

        Raises:
            InvalidTextRepresentationError: 22P02, and what else the type's input function raises.
            InvalidParameterValueError: 22023, no object where a row should be.
        """
        if kind in (JSON, JSONB):
            return kind.input(text, -1, self.context)
        if isinstance(kind.definition, DomainDefinition) and kind.definition.rules:
            return kind.input(text, typmod, self.context)  # Which refuses it.
        text_kind = jsontext.kind(text)
        if text_kind != "string":
            if kind.element is not None and not kind.is_vector:
                return self._array(text, kind.element, typmod)
            definition = composite_of(kind)
            if definition is not None:
                return self.row(definition, base, text)
        plain = jsontext.unquoted(text)
        assert plain is not None
        return kind.input(plain, typmod, self.context)

    def row(self, definition: CompositeDefinition, base: bytes | None, text: str) -> bytes:
        """A row of a composite type; what the document does not say is as in `base`."""
        before = None if base is None else unpack(definition, base)
        typmods = [a.typmod for a in definition.attributes]
        shape = definition.shape
        return pack(definition, self.fields(shape.names, shape.types, typmods, before, text))

    def fields(
        self,
        names: Sequence[str],
        kinds: Sequence[PgType],
        typmods: Sequence[int],
        before: Sequence[Datum] | None,
        text: str,
    ) -> list[Datum]:
        """The fields of a row. Raises 22023 for what is no object."""
        what = jsontext.kind(text)
        if what != "object":
            noun = "an array" if what == "array" else "a scalar"
            raise InvalidParameterValueError(f"cannot call populate_composite on {noun}")
        members = dict(jsontext.members(text))
        found: list[Datum] = []
        for at, (name, kind, typmod) in enumerate(zip(names, kinds, typmods, strict=True)):
            member, base = members.get(name), None if before is None else before[at]
            if member is None:
                found.append(base)
            elif jsontext.kind(member) == "null":
                found.append(None)
            else:
                found.append(_Reader(self.context, name).value(member, kind, typmod, base))
        return found

    def _array(self, text: str, element: PgType, typmod: int) -> tuple[Datum, ...]:
        sizes = self._sizes(text)
        leaves: list[Datum] = []

        def walk(part: str, depth: int, path: tuple[int, ...]) -> None:
            if jsontext.kind(part) != "array":
                raise self._expected_array(path)
            items = list(jsontext.elements(part))
            if len(items) != sizes[depth]:
                raise InvalidTextRepresentationError(
                    "malformed JSON array",
                    detail="Multidimensional arrays must have sub-arrays with matching dimensions.",
                )
            for at, item in enumerate(items):
                if depth + 1 < len(sizes):
                    walk(item, depth + 1, (*path, at))
                else:
                    null = jsontext.kind(item) == "null"
                    leaves.append(None if null else self.value(item, element, typmod))

        walk(text, 0, ())
        return nest(leaves, sizes) if leaves else ()

    @staticmethod
    def _sizes(text: str) -> tuple[int, ...]:
        """How many dimensions an array has is told by its first elements."""
        sizes: list[int] = []
        part: str | None = text
        while part is not None and (jsontext.kind(part) == "array" or not sizes):
            items = list(jsontext.elements(part)) if jsontext.kind(part) == "array" else []
            sizes.append(len(items))
            part = items[0] if items else None
        return tuple(sizes)

    def _expected_array(self, path: tuple[int, ...]) -> InvalidTextRepresentationError:
        places = "".join(f"[{at}]" for at in path)
        of = f' of key "{self.key}"' if self.key else ""
        hint = f'See the value of key "{self.key}".' if self.key else ""
        if places:
            hint = f"See the array element {places}{of}."
        return InvalidTextRepresentationError("expected JSON array", hint=hint)


def _made(context: EvalContext, kind: PgType, base: Datum, document: str) -> Datum:
    reader = _Reader(context.types)
    definition = composite_of(kind)
    if definition is not None:
        return reader.row(definition, base, document)
    shape = base.shape
    typmods = [-1] * len(shape.types)
    fields = reader.fields(shape.names, shape.types, typmods, base.fields, document)
    return Record(tuple(fields), shape)


def _require_row(kind: PgType, base: Datum, name: str) -> None:
    if kind is not RECORD and composite_of(kind) is None:
        raise DatatypeMismatchError(f"first argument of {name} must be a row type")
    if kind is RECORD and base is None:
        raise FeatureNotSupportedError(
            f"could not determine row type for result of {name}",
            hint="Provide a non-null record argument, or call the function in the FROM clause using "
            "a column definition list.",
        )


def _populate(name: str) -> Datum:
    def run(
        context: EvalContext, types: Types, base: Datum, document: str | None, *_as_text: Datum
    ) -> Datum:
        _require_row(types[0], base, name)
        return base if document is None else _made(context, types[0], base, document)

    return run


def _populate_set(name: str) -> Datum:
    def run(
        context: EvalContext, types: Types, base: Datum, document: str | None, *_as_text: Datum
    ) -> Iterator[Datum]:
        _require_row(types[0], base, name)
        if document is None:
            return
        kind = jsontext.kind(document)
        if kind != "array":
            noun = "an object" if kind == "object" else "a scalar"
            noun = "a non-array" if name.startswith("jsonb") else noun
            raise InvalidParameterValueError(f"cannot call {name} on {noun}")
        for item in jsontext.elements(document):
            if jsontext.kind(item) != "object":
                raise InvalidParameterValueError(f"argument of {name} must be an array of objects")
            yield _made(context, types[0], base, item)

    return run


def _member(
    context: EvalContext, types: Types, document: str | None, key: str, _kind: Datum
) -> Datum:
    found = None if document is None else jsontext.member(document, key)
    if found is None or jsontext.kind(found) == "null":
        return None
    return _Reader(context.types, key).value(found, types[2], -1)


_LOOSE = {
    "strict": False, "needs_context": True, "needs_types": True, "volatility": Volatility.STABLE,
}  # fmt: skip

MEMBER = "json member as"
"""The function of a member of an object as a value of the third argument's type."""


def _of(kind: PgType) -> list[Overload]:
    record, rows = f"{kind.name}_populate_record", f"{kind.name}_populate_recordset"
    args: Types = (ANYELEMENT, kind)
    if kind is JSON:
        args = (*args, BOOL)
    more = {**_LOOSE, "defaults": len(args) - 2}
    return [
        function(record, args, ANYELEMENT, _populate(record), **more),
        returns_set(rows, args, ANYELEMENT, _populate_set(rows), **more),
        function(MEMBER, (kind, TEXT, ANYELEMENT), ANYELEMENT, _member, **_LOOSE),
    ]


OVERLOADS: tuple[Overload, ...] = (*_of(JSON), *_of(JSONB))

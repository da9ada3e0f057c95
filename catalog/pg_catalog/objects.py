"""Names of catalogue objects, OIDs of names, and the functions that print objects (pg_get_…).

`CatalogObjects` is what regclass and its like ask (`types.table.ObjectNames`), and `functions` holds
what the catalogue functions call, by function name, for `EvalContext.services`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from string import ascii_lowercase, ascii_uppercase

from catalog.changes_domain import require_domain
from catalog.domain_values import value_table
from catalog.errors import (
    AmbiguousFunctionError,
    InvalidNameError,
    InvalidSchemaNameError,
    SqlSyntaxError,
    UndefinedColumnError,
    UndefinedObjectError,
    UndefinedTableError,
)
from catalog.model import TEMPORARY, Table, is_temporary
from catalog.pg_catalog import extension, oids, routine_text, routines
from catalog.pg_catalog.access import default_items
from catalog.pg_catalog.text import (
    constraint_definition,
    index_column,
    index_definition,
    pretty_text,
    qualified,
    quote_identifier,
    view_definition,
)
from catalog.pg_catalog.user_functions import UserFunctions
from catalog.pg_catalog.user_types import domain_checks
from catalog.pg_catalog.visible import DELETED, INSERTED, UPDATED, Visible
from catalog.types import registry
from storage.layout import Value
from storage.lazy import lazy

_CLASS, _NAMESPACE = "pg_class", "pg_namespace"


class CatalogObjects:
    """The objects that one role may see, by name and by OID."""

    def __init__(self, visible: Visible) -> None:
        self._visible = visible
        self._people = UserFunctions(visible, self._type_name)

    # ------------------------------------------------------------------ names and OIDs

    def object_oid(self, kind: str, name: str) -> int | None:
        """OID of the object written as `name`; None when there is none.

        Raises 42602 of what is no name, and of a relation 3F000, 42P01 or 42601 when there is none.
        """
        if kind in {"regproc", "regprocedure", "regoper", "regoperator"}:
            return self._routine_oid(kind, name)
        if kind == "regtype" and (found := registry.by_sql_name(name.lower())) is not None:
            return found.oid  # Of several words, some: `double precision`.
        parts = split_name(name)
        if parts is None:
            if kind != "regtype":
                raise InvalidNameError("invalid name syntax")
            return None
        match kind:
            case "regclass":
                if len(parts) > 3:
                    names = ".".join(parts)
                    raise SqlSyntaxError(f"improper relation name (too many dotted names): {names}")
                return self._existing_class(parts)
            case "regtype":
                return self._type_oid(name, parts)
            case "regnamespace":
                return self._visible.namespace_oids.get(parts[-1])
            case "regrole":
                return next(
                    (u.oid for u in self._visible.roles() if u.name == parts[-1]),
                    oids.ROOT if parts[-1] == "root" else None,
                )
            case _:
                return None

    def object_name(self, kind: str, oid: int) -> str | None:
        """The name of an object as PostgreSQL prints it; None when there is none of that OID."""
        match kind:
            case "regclass":
                return self._class_name(oid)
            case "regtype":
                return self._type_name(oid)
            case "regnamespace":
                names = {o: n for n, o in self._visible.namespace_oids.items()}
                return quote_identifier(names[oid]) if oid in names else None
            case "regrole":
                name = self._visible.user_name(oid)
                return quote_identifier(name) if name else None
            case "regproc":
                return self._people.name(oid) or routines.routine_name(oid)
            case "regprocedure":
                return self._people.signature(oid) or routines.signature(oid)
            case "regoper" | "regoperator":
                return routines.operator_name(oid, operands=kind == "regoperator")
            case _:
                return None

    def _routine_oid(self, kind: str, text: str) -> int | None:
        """The function or operator written as `text`.

        Raises 42725 when it may be several, 22P02 without parentheses, and 3F000 and 42704 of what the
        text names.
        """
        types = None
        if kind in {"regprocedure", "regoperator"}:
            text, types = routines.split_signature(text, self._type_by_name)
        if kind in {"regoper", "regoperator"}:
            symbol = text.strip().removeprefix("pg_catalog.")
            if types is None:
                return routines.find_operator(symbol)
            return routines.find_operator_of(symbol, types)
        parts = split_name(text) or ("",)
        schema = parts[-2] if len(parts) > 1 else ""
        if schema and schema not in self._visible.namespace_oids:
            raise InvalidSchemaNameError(f'schema "{schema}" does not exist')
        people = self._people.named(schema, parts[-1])
        built = schema in ("", "pg_catalog")
        if types is None:
            found = routines.find_routine(parts[-1]) if built else None
            if len(people) + (found is not None) > 1:
                raise AmbiguousFunctionError(f'more than one function named "{text}"')
            return people[0].id if people else found
        found = routines.find_signature(parts[-1], types) if built else None
        return found or next((f.id for f in people if f.signature == types), None)

    def _type_by_name(self, text: str) -> int:
        """Raises 42704."""
        parts = split_name(text) or ("",)
        found = self._type_oid(text, parts)
        if found is None:
            raise UndefinedObjectError(f'type "{text}" does not exist')
        return found

    def _type_oid(self, name: str, parts: tuple[str, ...]) -> int | None:
        found = registry.by_sql_name(name.lower())
        if found is None and parts[:-1] in ((), ("pg_catalog",)):
            found = registry.by_name(parts[-1])
        if found is None:
            bare = parts[-1].removesuffix("[]")
            found = self._visible.find_type("".join(parts[-2:-1]), bare)
            if found is not None and bare != parts[-1]:
                found = registry.array_of(found)
        return found.oid if found else None

    def _type_name(self, oid: int) -> str | None:
        found = registry.find_oid(oid)
        if found is not None:
            return found.sql_name
        made, pg_type = self._visible.types_by_oid.get(oid, (None, None))
        if made is None or pg_type is None:
            return None
        name = quote_identifier(made.name)
        if not self._is_type_visible(made.id):
            name = qualified(made.namespace, made.name)
        return name if pg_type.element is None else f"{name}[]"

    def _is_type_visible(self, oid: int) -> bool | None:
        """pg_type_is_visible: whether the bare name means this type."""
        if registry.find_oid(oid) is not None:
            return True
        made, pg_type = self._visible.types_by_oid.get(oid, (None, None))
        if made is None or pg_type is None:
            return None
        called = made.name if pg_type.element is None else f"_{made.name}"
        return registry.by_name(called) is None and self._visible.find_type("", called) is pg_type

    @lazy
    def _class_names(self) -> dict[int, tuple[str, str]]:
        visible = self._visible
        found = {r.oid: (r.schema, r.name) for r in visible.virtual_relations}
        found |= {o: (r.namespace, r.name) for o, r in visible.relations_by_oid.items()}
        found |= {s.id: (s.namespace, s.name) for s in visible.sequences.values()}
        found |= {o: (t.namespace, t.name) for o, (t, _) in visible.composites_by_relation.items()}
        found |= {
            o: (table.namespace, index.name)
            for o, (table, index, _) in visible.indexes_by_oid.items()
        }
        return found

    @lazy
    def _class_oids(self) -> dict[tuple[str, str], int]:
        return {name: oid for oid, name in self._class_names.items()}

    @property
    def _path(self) -> tuple[str, ...]:
        path = self._visible.search_path
        return path if "pg_catalog" in path else ("pg_catalog", *path)

    def _existing_class(self, parts: tuple[str, ...]) -> int:
        """Raises 3F000 or 42P01, as PostgreSQL names what there is not."""
        found = self._class_oid(parts)
        if found is not None:
            return found
        if len(parts) > 1 and parts[-2] not in (TEMPORARY, *self._visible.namespace_oids):
            raise InvalidSchemaNameError(f'schema "{parts[-2]}" does not exist')
        raise UndefinedTableError(f'relation "{".".join(parts)}" does not exist')

    def _class_oid(self, parts: tuple[str, ...]) -> int | None:
        if len(parts) > 1:
            schema = parts[-2]
            if schema == TEMPORARY:
                own = (n.name for n in self._visible.namespaces if is_temporary(n.name))
                schema = next(own, schema)
            return self._class_oids.get((schema, parts[-1]))
        found = (self._class_oids.get((schema, parts[0])) for schema in self._path)
        return next((oid for oid in found if oid is not None), None)

    def _class_name(self, oid: int) -> str | None:
        found = self._class_names.get(oid)
        if found is None:
            return None
        return quote_identifier(found[1]) if self.is_visible(oid) else qualified(*found)

    def is_visible(self, oid: int) -> bool | None:
        """pg_table_is_visible: whether the bare name means this relation."""
        found = self._class_names.get(oid)
        return None if found is None else self._class_oid((found[1],)) == oid

    # ------------------------------------------------------------------ functions

    @property
    def functions(self) -> "Mapping[str, Callable[..., Value]]":
        """What catalogue functions call, by function name. Arguments and results are stored values."""
        return {
            "pg_table_is_visible": self.is_visible,
            "pg_type_is_visible": self._is_type_visible,
            "pg_get_userbyid": self._user_by_id,
            "pg_get_constraintdef": self._constraint,
            "pg_get_indexdef": self._index,
            "pg_get_viewdef": self._view,
            "pg_get_functiondef": lambda oid: (
                self._people.definition(oid) or routine_text.definition(oid)
            ),
            "pg_get_function_sqlbody": self._people.standard_body,
            "pg_get_function_arguments": self._arguments,
            "pg_get_function_identity_arguments": partial(self._arguments, defaults=False),
            "pg_get_function_result": lambda oid: (
                self._people.result(oid) or routine_text.result(oid)
            ),
            "pg_get_function_arg_default": lambda oid, number: (
                self._people.default(oid, number) or routine_text.default(oid, number)
            ),
            "pg_relation_is_updatable": self._changes,
            "pg_column_is_updatable": self._is_assigned,
            "pg_get_expr": self._expression,
            "pg_get_serial_sequence": self._serial_sequence,
            "obj_description": self._description,
            "col_description": self._column_description,
            "shobj_description": self._shared_description,
            "acldefault": lambda kind, oid: default_items(kind, self._user_by_id(oid)),
            "_pg_index_position": self._index_position,
            "to_regclass": partial(self._known_or_none, "regclass"),
            "to_regtype": lambda name: self.object_oid("regtype", name),
            "to_regnamespace": lambda name: self.object_oid("regnamespace", name),
            "to_regrole": lambda name: self.object_oid("regrole", name),
            "to_regproc": partial(self._known_or_none, "regproc"),
            "to_regprocedure": partial(self._known_or_none, "regprocedure"),
            "to_regoper": partial(self._known_or_none, "regoper"),
            "to_regoperator": partial(self._known_or_none, "regoperator"),
            "pg_function_is_visible": self._is_function_visible,
            "pg_operator_is_visible": (
                lambda oid: True if routines.operator_name(oid, operands=True) else None
            ),
        }

    def _expression(self, text: str, oid: int, pretty: bool = False) -> str:
        """pg_get_expr: a kept expression of a relation. Those of CHECKs have a pretty form of their own."""
        if not pretty:
            return self._visible.default(text)
        of = self._visible.relations_by_oid.get(oid)
        if not isinstance(of, Table) or not text.startswith("("):
            return pretty_text(self._visible.default(text))
        for key in of.constraints:
            if key.kind == "c" and self._visible.check_text(of, key.check, False) == text:
                return self._visible.calls(self._visible.check_text(of, key.check, True))
        return pretty_text(self._visible.default(text))

    def _arguments(self, oid: int, *, defaults: bool = True) -> str | None:
        found = self._people.arguments(oid, defaults=defaults)
        return routine_text.arguments(oid, defaults=defaults) if found is None else found

    def _is_function_visible(self, oid: int) -> bool | None:
        if oid in self._visible.functions:
            return self._people.is_visible(oid)
        return True if routines.routine_name(oid) else None

    def _known_or_none(self, kind: str, text: str) -> int | None:
        try:
            return self.object_oid(kind, text)
        except (
            AmbiguousFunctionError, InvalidSchemaNameError, UndefinedObjectError, UndefinedTableError,
        ):  # fmt: skip
            return None

    def _user_by_id(self, oid: int) -> str:
        return self._visible.user_name(oid) or f"unknown (OID={oid})"

    def _constraint(self, oid: int, pretty: bool = False) -> str | None:
        found = self._visible.keys_by_oid.get(oid)
        if found is None:
            for made, check in domain_checks(self._visible):
                if check.oid == oid:
                    values = value_table(require_domain(made))
                    text = self._visible.check_text(values, check.check, pretty)
                    return f"CHECK ({self._visible.calls(text)})" + (
                        "" if check.valid else " NOT VALID"
                    )
            return None
        table, constraint = found
        later = "" if constraint.validated else " NOT VALID"
        if constraint.kind == "c":
            shown = self._visible.check_text(table, constraint.check, pretty)
            return f"CHECK ({self._visible.calls(shown)}){later}"
        parent, bare = None, True
        if constraint.reference is not None:
            place = oids.table_oid(constraint.reference.table)
            there = self._visible.relations_by_oid.get(place)
            parent = there if isinstance(there, Table) else None
            bare = self.is_visible(place) is True
        return constraint_definition(table, constraint, parent, bare=bare) + later

    def _index(self, oid: int, column: int = 0, pretty: bool = False) -> str | None:
        found = self._visible.indexes_by_oid.get(oid)
        if found is None:
            return None
        table, index, _ = found
        if not column:
            return index_definition(table, index, pretty=pretty)
        return index_column(table, index, column, pretty=pretty)

    def _view(self, relation: int | str, form: bool | int = False) -> str | None:
        """pg_get_viewdef. form: whether it is pretty, or how long lines of the pretty form may be."""
        oid = relation if isinstance(relation, int) else self.object_oid("regclass", relation)
        found = self._visible.relations_by_oid.get(oid) if oid is not None else None
        if found is None:
            return None
        lines = type(form) is int
        return view_definition(
            found,
            self._visible.view_text,
            pretty=lines or bool(form),
            wrap=int(form) if lines else 0,
        )

    def _changes(self, oid: int, _triggers: bool) -> int:
        found = self._visible.relations_by_oid.get(oid)
        if isinstance(found, Table):
            return UPDATED | INSERTED | DELETED if found.materialized is None else 0
        return 0 if found is None else self._visible.changes_of(found)[0]

    def _is_assigned(self, oid: int, column: int, _triggers: bool) -> bool:
        found = self._visible.relations_by_oid.get(oid)
        if found is None or column <= 0:
            return False
        if isinstance(found, Table):
            return found.materialized is None
        return column in self._visible.changes_of(found)[1]

    def _serial_sequence(self, table: str, column: str) -> str | None:
        """The sequence that a column owns. Raises 42P01, 42703."""
        oid = self.object_oid("regclass", table)
        found = self._visible.relations_by_oid.get(oid) if oid is not None else None
        if found is None:
            raise UndefinedTableError(f'relation "{table}" does not exist')
        for each in found.columns:
            if each.name == column:
                break
        else:
            raise UndefinedColumnError(
                f'column "{column}" of relation "{found.name}" does not exist'
            )
        for sequence in self._visible.sequences.values():
            if sequence.owned_by == (found.id, each.id):
                return qualified(sequence.namespace, sequence.name)
        return None

    def _description(self, oid: int, catalog: str = _CLASS) -> str | None:
        if catalog == _CLASS:
            found = self._visible.relations_by_oid.get(oid) or self._visible.sequences.get(oid)
            if found is None:
                return self._index_description(oid)
            return found.comment or None
        if catalog == "pg_constraint":
            _, key = self._visible.keys_by_oid.get(oid, (None, None))
            return (key.comment or None) if key else None
        if catalog == "pg_proc":
            function = self._visible.functions.get(oid)
            return (function.comment or None) if function else None
        if catalog == "pg_extension":
            return extension.comments().get(oid)
        if catalog == "pg_type":
            made, _ = self._visible.types_by_oid.get(oid, (None, None))
            return (made.comment or None) if made else None
        if catalog == _NAMESPACE:
            for n in self._visible.all_namespaces:
                if oids.namespace_oid(n.name, n.id) == oid:
                    return n.comment or None
        return None

    def _index_position(self, oid: int, column: int) -> int | None:
        found = self._visible.indexes_by_oid.get(oid)
        if found is None:
            return None
        columns = (*[key.column for key in found[1].keys], *found[1].include)
        return columns.index(column) + 1 if column in columns else None

    def _index_description(self, oid: int) -> str | None:
        found = self._visible.indexes_by_oid.get(oid)
        return None if found is None else found[1].comment or None

    def _shared_description(self, oid: int, catalog: str) -> str | None:
        if catalog == "pg_database" and oid == oids.DATABASE:
            return self._visible.database_comment() or None
        if catalog != "pg_authid":
            return None
        return next((u.comment or None for u in self._visible.roles() if u.oid == oid), None)

    def _column_description(self, oid: int, number: int) -> str | None:
        found = self._visible.relations_by_oid.get(oid)
        columns = found.columns if found else ()
        return next((c.comment or None for c in columns if c.id == number), None)


_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)
"""SQL folds no other letters, and no more does the lexer."""


def split_name(text: str) -> tuple[str, ...] | None:
    """`a."B c".d` as its parts, folded as SQL folds them; None when it is not a name."""
    parts: list[str] = []
    rest = text.strip()
    while True:
        if rest.startswith('"'):
            end = 1
            while (end := rest.find('"', end)) >= 0 and rest[end + 1 : end + 2] == '"':
                end += 2
            if end < 0:
                return None
            part, rest = rest[1:end].replace('""', '"'), rest[end + 1 :].lstrip()
        else:
            part, dot, after = rest.partition(".")
            part, rest = part.strip().translate(_SMALL), dot + after
            if len(part.split()) > 1:
                return None
        if not part:
            return None
        parts.append(part)
        if not rest:
            return tuple(parts)
        if not rest.startswith("."):
            return None
        rest = rest[1:].lstrip()

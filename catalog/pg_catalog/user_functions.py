"""Functions that people made: their rows of pg_proc, and how pg_get_functiondef and its kin write them."""

# ruff: noqa: D103 - a function makes the rows of the relation whose name it has.

from collections.abc import Callable, Iterator, Mapping

from catalog.errors import WrongObjectTypeError
from catalog.functions import Function, Parameter
from catalog.pg_catalog import access
from catalog.pg_catalog.text import quote_identifier
from catalog.pg_catalog.visible import Visible
from catalog.types import registry
from catalog.types.table import PgType
from storage.layout import Value

Values = Mapping[str, Value]
TypeName = Callable[[int], str | None]
"""How format_type shows a type, by its OID."""

LANGUAGE_SQL, LANGUAGE_INTERNAL = 14, 12
"""pg_language.oid."""

_VOLATILITIES = {"i": " IMMUTABLE", "s": " STABLE", "v": ""}
_PARALLEL = {"s": " PARALLEL SAFE", "r": " PARALLEL RESTRICTED", "u": ""}
_MODES = {"i": "", "o": "OUT ", "b": "INOUT ", "v": "VARIADIC "}
_ROWS, _COST = 1000.0, 100.0


def type_by_oid(visible: Visible, oid: int) -> PgType | None:
    """A type, PostgreSQL's own or one that people made."""
    found = registry.find_oid(oid)
    return found if found is not None else visible.types_by_oid.get(oid, (None, None))[1]


def pg_proc(visible: Visible) -> Iterator[Values]:
    """The rows of those that people made."""
    for f in visible.functions.values():
        kinds = [p.type for p in f.parameters]
        plain = all(p.mode == "i" for p in f.parameters)
        last = f.inputs[-1].type if f.variadic else 0
        element = type_by_oid(visible, last) if last else None
        defaults = [p.default for p in f.inputs if p.default]
        yield {
            "oid": f.id,
            "proname": f.name,
            "pronamespace": visible.namespace_oids.get(f.namespace, 0),
            "proowner": visible.owner_oid(f.owner),
            "prolang": LANGUAGE_SQL if f.aggregation is None else LANGUAGE_INTERNAL,
            "procost": f.cost,
            "prorows": f.rows,
            "provariadic": _variadic(element) if element is not None else 0,
            "prosupport": 0,
            "prokind": f.kind,
            "prosecdef": False,
            "proleakproof": f.leakproof,
            "proisstrict": f.strict,
            "proretset": f.returns_set,
            "provolatile": f.volatility,
            "proparallel": f.parallel,
            "pronargs": len(f.inputs),
            "pronargdefaults": len(defaults),
            "prorettype": f.result,
            "proargtypes": f.signature,
            "proallargtypes": None if plain else tuple(kinds) if _has_outputs(f) else None,
            "proargmodes": None if plain else tuple([p.mode for p in f.parameters]),
            "proargnames": tuple([p.name for p in f.parameters])
            if any(p.name for p in f.parameters)
            else None,
            "proargdefaults": ", ".join(defaults) or None,
            "prosrc": "" if f.standard else f.body,
            "prosqlbody": f.body if f.standard else None,
            "proconfig": tuple([f"{n}={v}" for n, v in f.settings]) or None,
            "proacl": access.items(visible, "f", f.owner, f.grants, public=f.public),
        }


def pg_aggregate(visible: Visible) -> Iterator[Values]:
    """The rows of those that people made."""
    for f in visible.functions.values():
        if f.aggregation is None:
            continue
        plain, moving = f.aggregation.plain, f.aggregation.moving
        yield {
            "aggfnoid": f.id,
            "aggkind": "n",
            "aggnumdirectargs": 0,
            "aggtransfn": plain.transition,
            "aggfinalfn": plain.final,
            "aggcombinefn": f.aggregation.combine,
            "aggserialfn": 0,
            "aggdeserialfn": 0,
            "aggmtransfn": moving.transition if moving else 0,
            "aggminvtransfn": moving.inverse if moving else 0,
            "aggmfinalfn": moving.final if moving else 0,
            "aggfinalextra": plain.extra,
            "aggmfinalextra": moving.extra if moving else False,
            "aggfinalmodify": plain.modify,
            "aggmfinalmodify": moving.modify if moving else "r",
            "aggsortop": f.aggregation.sort_operator,
            "aggtranstype": plain.state,
            "aggtransspace": plain.space,
            "aggmtranstype": moving.state if moving else 0,
            "aggmtransspace": moving.space if moving else 0,
            "agginitval": plain.initial,
            "aggminitval": moving.initial if moving else None,
        }


def _variadic(array: PgType) -> int:
    if array.element is not None:
        return array.element.oid
    return registry.ANYELEMENT.oid if array.name == "anyarray" else registry.ANYCOMPATIBLE.oid


def _has_outputs(function: Function) -> bool:
    """pg_proc.proallargtypes is there for these, and for VARIADIC."""
    return any(p.mode != "i" for p in function.parameters)


class UserFunctions:
    """Functions that people made, as one role may see them, by name and by OID."""

    def __init__(self, visible: Visible, type_name: TypeName) -> None:
        self._visible = visible
        self._type_name = type_name

    def named(self, schema: str, name: str) -> list[Function]:
        """Those of a name; with schema "" those that a bare name means, in the order of the path."""
        every = [f for f in self._visible.functions.values() if f.name == name]
        if schema:
            return [f for f in every if f.namespace == schema]
        found: dict[tuple[int, ...], Function] = {}
        for candidate in self._visible.search_path:
            for one in every:
                if one.namespace == candidate:
                    found.setdefault(one.signature, one)
        return list(found.values())

    def is_visible(self, oid: int) -> bool | None:
        """pg_function_is_visible."""
        f = self._visible.functions.get(oid)
        return None if f is None else f in self.named("", f.name)

    def name(self, oid: int) -> str | None:
        """How `regproc` shows one."""
        f = self._visible.functions.get(oid)
        if f is None:
            return None
        alone = self.named("", f.name) == [f]
        bare = quote_identifier(f.name)
        return bare if alone else f"{quote_identifier(f.namespace)}.{bare}"

    def signature(self, oid: int) -> str | None:
        """How `regprocedure` shows one."""
        f = self._visible.functions.get(oid)
        if f is None:
            return None
        schema = "" if self.is_visible(oid) else f"{quote_identifier(f.namespace)}."
        types = ",".join([self._of(p.type) for p in f.inputs])
        return f"{schema}{quote_identifier(f.name)}({types})"

    def _of(self, oid: int) -> str:
        return self._type_name(oid) or "???"

    # ------------------------------------------------------------------ as text

    def arguments(self, oid: int, *, defaults: bool = True) -> str | None:
        """pg_get_function_arguments, and without defaults pg_get_function_identity_arguments."""
        f = self._visible.functions.get(oid)
        if f is None:
            return None
        shown = [p for p in f.parameters if p.mode != "t"]
        return ", ".join([self._argument(f, p, defaults=defaults) for p in shown])

    def _argument(self, function: Function, p: Parameter, *, defaults: bool) -> str:
        mode = "IN " if function.kind == "p" and p.mode == "i" else _MODES[p.mode]
        name = f"{quote_identifier(p.name)} " if p.name else ""
        default = f" DEFAULT {p.default}" if defaults and p.default else ""
        return f"{mode}{name}{self._of(p.type)}{default}"

    def result(self, oid: int) -> str | None:
        """pg_get_function_result."""
        f = self._visible.functions.get(oid)
        if f is None or f.kind == "p":
            return None
        columns = [p for p in f.parameters if p.mode == "t"]
        if columns:
            named = [f"{quote_identifier(p.name)} {self._of(p.type)}" for p in columns]
            return f"TABLE({', '.join(named)})"
        return f"SETOF {self._of(f.result)}" if f.returns_set else self._of(f.result)

    def default(self, oid: int, number: int) -> str | None:
        """pg_get_function_arg_default: of the n-th parameter, from 1."""
        f = self._visible.functions.get(oid)
        found = f.parameters[number - 1 : number] if f is not None and number > 0 else ()
        return (found[0].default or None) if found else None

    def standard_body(self, oid: int) -> str | None:
        """pg_get_function_sqlbody."""
        f = self._visible.functions.get(oid)
        return f.body if f is not None and f.standard else None

    def definition(self, oid: int) -> str | None:
        """pg_get_functiondef."""
        f = self._visible.functions.get(oid)
        if f is None:
            return None
        if f.aggregation is not None:
            raise WrongObjectTypeError(f'"{f.name}" is an aggregate function')
        name = f"{quote_identifier(f.namespace)}.{quote_identifier(f.name)}"
        lines = [f"CREATE OR REPLACE {f.what.upper()} {name}({self.arguments(oid)})"]
        if f.kind == "f":
            lines.append(f" RETURNS {self.result(oid)}")
        lines.append(" LANGUAGE sql")
        if traits := _traits(f):
            lines.append(traits)
        for setting, value in f.settings:
            parts = [f"'{part.strip().strip(chr(34))}'" for part in value.split(",")]
            lines.append(f" SET {setting} TO {', '.join(parts)}")
        if f.standard:
            return "\n".join([*lines, f.body]) + "\n"
        quote = f"${f.what}"
        while quote in f.body:
            quote += "x"
        return "\n".join([*lines, f"AS {quote}${f.body}{quote}$"]) + "\n"


def _traits(f: Function) -> str:
    return "".join(
        (
            _VOLATILITIES[f.volatility],
            _PARALLEL[f.parallel],
            " STRICT" if f.strict else "",
            " LEAKPROOF" if f.leakproof else "",
            f" COST {f.cost:g}" if f.cost != _COST else "",
            f" ROWS {f.rows:g}" if f.rows not in {0, _ROWS} else "",
        )
    )


# ------------------------------------------------------------------ information_schema


def routines(visible: Visible) -> Iterator[Values]:
    for f in visible.functions.values():
        if f.aggregation is not None:
            continue  # As in PostgreSQL, which has them in `parameters` alone.
        kind = type_by_oid(visible, f.result)
        own = f.kind == "f" and kind is not None
        yield {
            **_specific(visible, f),
            "routine_catalog": visible.database,
            "routine_schema": f.namespace,
            "routine_name": f.name,
            "routine_type": "FUNCTION" if f.kind == "f" else "PROCEDURE",
            **(_typed(visible, kind, "type_udt") if own and kind is not None else {}),
            "dtd_identifier": "0" if own else None,
            "routine_body": "SQL",
            "routine_definition": None if f.standard else f.body,
            "external_language": "SQL",
            "parameter_style": "GENERAL",
            "is_deterministic": "YES" if f.volatility == "i" else "NO",
            "sql_data_access": "MODIFIES",
            "is_null_call": ("YES" if f.strict else "NO") if f.kind == "f" else None,
            "schema_level_routine": "YES",
            "max_dynamic_result_sets": 0,
            "security_type": "INVOKER",
            "as_locator": "NO",
            "is_udt_dependent": "NO",
        }


def parameters(visible: Visible) -> Iterator[Values]:
    modes = {"i": "IN", "o": "OUT", "b": "INOUT", "v": "IN", "t": "OUT"}
    for f in visible.functions.values():
        for number, p in enumerate(f.parameters, 1):
            kind = type_by_oid(visible, p.type)
            yield {
                **_specific(visible, f),
                "ordinal_position": number,
                "parameter_mode": modes[p.mode],
                "is_result": "NO",
                "as_locator": "NO",
                "parameter_name": p.name or None,
                **(_typed(visible, kind, "udt") if kind is not None else {}),
                "dtd_identifier": str(number),
                "parameter_default": p.default or None,
            }


def _specific(visible: Visible, f: Function) -> dict[str, Value]:
    return {
        "specific_catalog": visible.database,
        "specific_schema": f.namespace,
        "specific_name": f"{f.name}_{f.id}",
    }


def _typed(visible: Visible, kind: PgType, udt: str) -> dict[str, Value]:
    made = visible.types_by_oid.get(kind.oid, (None, None))[0]
    shown = kind.sql_name
    if kind.element is not None:
        shown = "ARRAY"
    elif made is not None:
        shown = "USER-DEFINED"
    return {
        "data_type": shown,
        f"{udt}_catalog": visible.database,
        f"{udt}_schema": "pg_catalog" if made is None else made.namespace,
        f"{udt}_name": kind.name,
    }

"""What CREATE FUNCTION says of parameters and of what is given back, checked as PostgreSQL checks it."""

from catalog.errors import FeatureNotSupportedError, InvalidFunctionDefinitionError
from catalog.functions import CALLED_WITH, GIVEN_BACK, Parameter
from catalog.types import registry as types
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.query.ddl_context import DdlContext, kept_expression
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.overloads import COMPATIBLE_FAMILY, POLYMORPHIC
from kalam_pg.sql.parse_functions import unmoded
from kalam_pg.sql.statements import TypeName
from kalam_pg.sql.statements_functions import CreateFunction, ParameterDefinition
from storage.errors import KalamError

PARAMETERS_MAX = 100
_ALLOWED_PSEUDO = frozenset({"record", "void"}) | POLYMORPHIC


def checked_parameters(statement: CreateFunction, context: DdlContext) -> tuple[Parameter, ...]:
    """PostgreSQL's `interpret_function_parameter_list`. Raises 42P13, 42704, 0A000, 54023."""
    definitions = [unmoded(definition) for definition in statement.parameters]
    found: list[Parameter] = []
    defaults = variadic = False
    if statement.kind == "p" and any(d.mode in ("o", "t") for d in definitions):
        raise FeatureNotSupportedError(
            "OUT parameters of procedures are not supported", hint="INOUT parameters are."
        )
    for at, definition in enumerate(definitions):
        kind = _type(definition.type, context)
        called = definition.mode in CALLED_WITH
        if called:
            if variadic:
                raise InvalidFunctionDefinitionError(
                    "VARIADIC parameter must be the last input parameter"
                )
            _check_input(kind)
        if definition.mode == "v":
            variadic = True
            if kind.element is None and kind.name not in ("anyarray", "anycompatiblearray"):
                raise InvalidFunctionDefinitionError("VARIADIC parameter must be an array")
        _check_name(definition, definitions[:at])
        if definition.default and not called:
            raise InvalidFunctionDefinitionError("only input parameters can have default values")
        if called and defaults and not definition.default:
            raise InvalidFunctionDefinitionError(
                "input parameters after one with a default value must also have defaults"
            )
        defaults = defaults or bool(definition.default)
        default = _default(definition, kind, context)
        found.append(Parameter(definition.name, kind.oid, definition.mode, default))
    if len([p for p in found if p.mode in CALLED_WITH]) > PARAMETERS_MAX:
        raise InvalidFunctionDefinitionError(
            f"functions cannot have more than {PARAMETERS_MAX} arguments"
        )
    return tuple(found)


def _type(name: TypeName, context: DdlContext) -> PgType:
    kind, _ = resolve_type(name, context.snapshot, context.search_path)
    for one in (kind, kind.element):
        if one is not None and isinstance(one.definition, DomainDefinition):
            raise FeatureNotSupportedError(
                f"domain {one.name} as the type of a function's parameter or result is not supported",
                hint=f"Its base type is {one.definition.base.sql_name}.",
            )
    return kind


def _check_input(kind: PgType) -> None:
    if kind.pseudo and kind.name not in POLYMORPHIC and kind is not types.RECORD:
        raise InvalidFunctionDefinitionError(
            f"SQL functions cannot have arguments of type {kind.sql_name}"
        )
    if kind is types.RECORD:
        raise FeatureNotSupportedError("arguments of type record are not supported")


def _check_name(definition: ParameterDefinition, before: list[ParameterDefinition]) -> None:
    """Raise 42P13 for a name that is there already; OUT and IN may share none, columns of TABLE neither."""
    if definition.name and any(other.name == definition.name for other in before):
        raise InvalidFunctionDefinitionError(
            f'parameter name "{definition.name}" used more than once'
        )


def _default(definition: ParameterDefinition, kind: PgType, context: DdlContext) -> str:
    if not definition.default:
        return ""
    if kind.name in POLYMORPHIC:
        raise FeatureNotSupportedError("defaults of polymorphic parameters are not supported")
    try:
        context.check_expression(definition.default, None, kind)
    except KalamError as error:
        error.position = 0
        raise
    return context.spelled(kept_expression(definition.default, context), kind) or "NULL"


def result_of(
    statement: CreateFunction, parameters: tuple[Parameter, ...], context: DdlContext
) -> int:
    """The OID of the type that a function gives back. Raises 42P13."""
    outs = [p for p in parameters if p.mode in GIVEN_BACK]
    required: PgType | None = None
    if len(outs) == 1 and outs[0].mode != "t":
        required = context.snapshot.type_by_oid(outs[0].type)
    elif outs:
        required = types.RECORD
        if len(outs) == 1:
            required = context.snapshot.type_by_oid(outs[0].type)
    if statement.kind == "p":
        return (types.RECORD if outs else types.VOID).oid
    if statement.returns is None:
        if required is None:
            raise InvalidFunctionDefinitionError("function result type must be specified")
        kind = required
    else:
        kind = _type(statement.returns, context)
        if required is not None and kind is not required:
            raise InvalidFunctionDefinitionError(
                f"function result type must be {required.sql_name} because of OUT parameters"
            )
    if kind.pseudo and kind.name not in _ALLOWED_PSEUDO:
        raise InvalidFunctionDefinitionError(f"SQL functions cannot return type {kind.sql_name}")
    inputs = [context.snapshot.type_by_oid(p.type) for p in parameters if p.mode in CALLED_WITH]
    _check_polymorphic(kind, [k for k in inputs if k is not None])
    for out in outs:
        of = context.snapshot.type_by_oid(out.type)
        assert of is not None
        _check_polymorphic(of, [k for k in inputs if k is not None])
    return kind.oid


_SIMPLE = "anyelement, anyarray, anynonarray, anyenum, anyrange, or anymultirange"
_COMPATIBLE = (
    "anycompatible, anycompatiblearray, anycompatiblenonarray, anycompatiblerange, or "
    "anycompatiblemultirange"
)


def _check_polymorphic(kind: PgType, inputs: list[PgType]) -> None:
    require_inputs_for(kind, inputs, "result")


def require_inputs_for(kind: PgType, inputs: list[PgType], what: str) -> None:
    """Raise 42P13 for a polymorphic type that no input tells. what: "result" or "transition"."""
    if kind.name not in POLYMORPHIC:
        return
    compatible = kind.name in COMPATIBLE_FAMILY
    alike = [
        k for k in inputs if k.name in POLYMORPHIC and (k.name in COMPATIBLE_FAMILY) == compatible
    ]
    if not alike:
        raise InvalidFunctionDefinitionError(
            f"cannot determine {what} data type",
            detail=f"A result of type {kind.sql_name} requires at least one input of type "
            f"{_COMPATIBLE if compatible else _SIMPLE}.",
        )

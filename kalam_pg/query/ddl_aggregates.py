"""CREATE AGGREGATE, to its catalog change: PostgreSQL's `DefineAggregate` and `AggregateCreate`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from catalog import changes_function
from catalog.errors import (
    DatatypeMismatchError,
    FeatureNotSupportedError,
    InvalidFunctionDefinitionError,
    SqlSyntaxError,
    UndefinedFunctionError,
)
from catalog.functions import Accumulation, Aggregation, Function, Parameter
from catalog.pg_catalog.routines import find_operator_of
from catalog.privileges import Action, check_execute, require
from catalog.types import registry as types
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, plan, type_namespace
from kalam_pg.query.function_definition import PARAMETERS_MAX, require_inputs_for
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.overloads import POLYMORPHIC
from kalam_pg.sql.statements import TypeName
from kalam_pg.sql.statements_functions import AggregateOption, CreateAggregate, ParameterDefinition
from kalam_pg.sql.support_functions import Support, find_support, is_same_in_binary

_OLD_NAMES = {"sfunc1": "sfunc", "stype1": "stype", "initcond1": "initcond"}
_NAMES = frozenset(
    """
    sfunc finalfunc combinefunc serialfunc deserialfunc msfunc minvfunc mfinalfunc
    finalfunc_extra mfinalfunc_extra finalfunc_modify mfinalfunc_modify sortop basetype hypothetical
    stype mstype sspace msspace initcond minitcond parallel
    """.split()  # noqa: SIM905 - a table of words
)
_MODIFIES = {"read_only": "r", "shareable": "s", "read_write": "w"}
_PARALLEL = {"safe": "s", "restricted": "r", "unsafe": "u"}
_COST = 1.0


@plan.register
def _(statement: CreateAggregate, context: DdlContext) -> DdlPlan:
    namespace = type_namespace(context, statement.name)
    require(context.user, Action.CREATE_FUNCTION, namespace)
    found: dict[str, AggregateOption] = {}
    unknown = []
    for option in statement.options:
        name = _OLD_NAMES.get(option.name, option.name)
        if name in _NAMES:
            found[name] = option
        else:
            unknown.append(f'aggregate attribute "{option.name}" not recognized')
    parameters = _parameters(statement, found, context)
    definition = _Definition(context, found, parameters)
    aggregation, result, reads = definition.made()
    made = Function(
        *(0, namespace.name, statement.name.name, definition.kept(), result.oid),
        *("aggregate_dummy", context.user.id),
        kind="a",
        volatility="i",
        parallel=_parallel(found),
        cost=_COST,
        reads=reads,
        created_at_us=context.now_us,
        aggregation=aggregation,
    )
    context.check_aggregate(made)
    change = changes_function.create_function(
        context.snapshot, context.ids, made, or_replace=statement.or_replace
    )
    return DdlPlan(replace(change, notices=(*change.notices, *unknown)), "CREATE AGGREGATE")


def _parameters(
    statement: CreateAggregate, found: dict[str, AggregateOption], context: DdlContext
) -> list[tuple[ParameterDefinition, PgType]]:
    base = found.pop("basetype", None)
    _required(found, "stype", "sfunc")
    if statement.parameters is None:
        if base is None:
            raise InvalidFunctionDefinitionError("aggregate input type must be specified")
        if base.text.lower() == "any":
            return []
        written = base.type or TypeName(base.text)
        return [(ParameterDefinition("", written, "i"), _type(written, context))]
    if base is not None:
        raise InvalidFunctionDefinitionError(
            "basetype is redundant with aggregate input type specification"
        )
    if len(statement.parameters) >= PARAMETERS_MAX:
        raise InvalidFunctionDefinitionError(
            f"aggregates cannot have more than {PARAMETERS_MAX - 1} arguments"
        )
    return [(p, _type(p.type, context)) for p in statement.parameters]


def _required(found: dict[str, AggregateOption], *names: str) -> None:
    for name in names:
        if name not in found:
            raise InvalidFunctionDefinitionError(f"aggregate {name} must be specified")


def _type(written: TypeName, context: DdlContext) -> PgType:
    kind, _ = resolve_type(replace(written, position=0), context.snapshot, context.search_path)
    if isinstance(kind.definition, DomainDefinition):
        raise FeatureNotSupportedError(
            f"domain {kind.name} as a type of an aggregate is not supported",
            hint=f"Its base type is {kind.definition.base.sql_name}.",
        )
    return kind


def _parallel(found: dict[str, AggregateOption]) -> str:
    option = found.get("parallel")
    if option is None:
        return "u"
    if option.text not in _PARALLEL:
        raise SqlSyntaxError('parameter "parallel" must be SAFE, RESTRICTED, or UNSAFE')
    return _PARALLEL[option.text]


@dataclass(frozen=True, slots=True)
class _Definition:
    """What is written of an aggregate, read as PostgreSQL reads it."""

    context: DdlContext
    options: dict[str, AggregateOption]
    parameters: Sequence[tuple[ParameterDefinition, PgType]]

    @property
    def inputs(self) -> tuple[PgType, ...]:
        """The types of its arguments."""
        return tuple([kind for _, kind in self.parameters])

    def kept(self) -> tuple[Parameter, ...]:
        """Its parameters as the catalogue has them. Raises 42P13, 0A000."""
        found = []
        for at, (written, kind) in enumerate(self.parameters):
            if written.mode == "v":
                if at + 1 < len(self.parameters):
                    raise InvalidFunctionDefinitionError(
                        "VARIADIC parameter must be the last input parameter"
                    )
                if kind is types.ANY:
                    raise FeatureNotSupportedError(
                        'VARIADIC "any" of an aggregate is not supported'
                    )
                if kind.element is None and kind.name not in ("anyarray", "anycompatiblearray"):
                    raise InvalidFunctionDefinitionError("VARIADIC parameter must be an array")
            if kind.pseudo and kind.name not in POLYMORPHIC and kind is not types.ANY:
                raise InvalidFunctionDefinitionError(
                    f"aggregate cannot accept arguments of type {kind.sql_name}"
                )
            found.append(Parameter(written.name, kind.oid, written.mode or "i"))
        return tuple(found)

    def made(self) -> tuple[Aggregation, PgType, tuple[int, ...]]:
        """How it works, the type of its value, and the ids of the functions that people made."""
        self.kept()
        self._refuse()
        reads: dict[int, None] = {}
        plain, result = self._accumulation("", reads)
        moving = None
        self._check_moving()
        if "mstype" in self.options:
            moving, other = self._accumulation("m", reads)
            if other is not result:
                raise InvalidFunctionDefinitionError(
                    "moving-aggregate implementation returns type "
                    f"{other.sql_name}, but plain implementation returns type {result.sql_name}"
                )
        combine = 0
        if "combinefunc" in self.options:
            kind = self._state("stype")
            found = self._function("combinefunc", (kind, kind), reads)
            if found.result is not kind:
                raise DatatypeMismatchError(
                    f"return type of combine function {found.name} is not {kind.sql_name}"
                )
            combine = found.oid
        made = Aggregation(plain, moving, combine, self._sort_operator())
        return made, result, tuple(reads)

    def _refuse(self) -> None:
        """Raise 0A000 for what is not built, by its name."""
        if "hypothetical" in self.options:
            raise FeatureNotSupportedError(
                "a hypothetical-set aggregate of one's own is not supported"
            )
        both = [name in self.options for name in ("serialfunc", "deserialfunc")]
        if any(both):
            if not all(both):
                raise InvalidFunctionDefinitionError(
                    "must specify both or neither of serialization and deserialization functions"
                )
            if self._state("stype").name != "internal":
                raise InvalidFunctionDefinitionError(
                    "serialization functions may be specified only when the aggregate transition "
                    "data type is internal"
                )

    def _state(self, name: str) -> PgType:
        option = self.options[name]
        written = option.type or TypeName(option.text)
        if written.name == "internal" and not written.dimensions:
            raise FeatureNotSupportedError(
                "an aggregate with the transition data type internal is not supported"
            )
        kind = _type(written, self.context)
        if kind.pseudo and kind.name not in POLYMORPHIC:
            raise InvalidFunctionDefinitionError(
                f"aggregate transition data type cannot be {kind.sql_name}"
            )
        require_inputs_for(kind, list(self.inputs), "transition")
        return kind

    def _check_moving(self) -> None:
        moves = "mstype" in self.options
        for name in ("msfunc", "minvfunc"):
            if moves and name not in self.options:
                raise InvalidFunctionDefinitionError(
                    f"aggregate {name} must be specified when mstype is specified"
                )
        for name in ("msfunc", "minvfunc", "mfinalfunc", "msspace", "minitcond"):
            if not moves and name in self.options:
                raise InvalidFunctionDefinitionError(
                    f"aggregate {name} must not be specified without mstype"
                )

    def _accumulation(self, m: str, reads: dict[int, None]) -> tuple[Accumulation, PgType]:
        """The plain way (m is "") or the moving one ("m"), and the type of the value."""
        kind = self._state(f"{m}stype")
        initial = self._initial(f"{m}initcond", kind)
        step = self._function(f"{m}sfunc", (kind, *self.inputs), reads)
        if step.result is not kind:
            raise DatatypeMismatchError(
                f"return type of transition function {step.name} is not {kind.sql_name}"
            )
        if step.strict and initial is None and not self._first_is_state(kind):
            raise InvalidFunctionDefinitionError(
                "must not omit initial value when transition function is strict and "
                "transition type is not compatible with input type"
            )
        inverse = self._inverse(kind, step, reads) if m else 0
        extra = _flag(self.options.get(f"{m}finalfunc_extra"))
        final, result = 0, kind
        if f"{m}finalfunc" in self.options:
            given = (kind, *self.inputs) if extra else (kind,)
            found = self._function(f"{m}finalfunc", given, reads)
            if extra and found.strict:
                raise InvalidFunctionDefinitionError(
                    "final function with extra arguments must not be declared STRICT"
                )
            final, result = found.oid, found.result
        require_inputs_for(result, list(self.inputs), "result")
        made = Accumulation(
            *(step.oid, kind.oid, final, initial, extra, self._modify(f"{m}finalfunc_modify")),
            *(self._space(f"{m}sspace"), inverse),
        )
        return made, result

    def _first_is_state(self, kind: PgType) -> bool:
        return bool(self.inputs) and is_same_in_binary(self.inputs[0], kind)

    def _inverse(self, kind: PgType, step: Support, reads: dict[int, None]) -> int:
        found = self._function("minvfunc", (kind, *self.inputs), reads)
        if found.result is not kind:
            raise DatatypeMismatchError(
                f"return type of inverse transition function {found.name} is not {kind.sql_name}"
            )
        if found.strict != step.strict:
            raise InvalidFunctionDefinitionError(
                "strictness of aggregate's forward and inverse transition functions must match"
            )
        return found.oid

    def _function(self, name: str, given: tuple[PgType, ...], reads: dict[int, None]) -> Support:
        option = self.options[name]
        if option.function is None:
            raise SqlSyntaxError(f"{name} must be the name of a function")
        context = self.context
        found = find_support(option.function, given, context.snapshot, context.search_path)
        if found.function is not None:
            check_execute(context.user, found.function)
            reads[found.oid] = None
        return found

    def _initial(self, name: str, kind: PgType) -> str | None:
        option = self.options.get(name)
        if option is None:
            return None
        if not kind.pseudo:
            literal = "'" + option.text.replace("'", "''") + "'"
            self.context.check_expression(literal, None, kind)
        return option.text

    def _modify(self, name: str) -> str:
        option = self.options.get(name)
        if option is None:
            return "r"
        if option.text not in _MODIFIES:
            raise SqlSyntaxError(f'parameter "{name}" must be READ_ONLY, SHAREABLE, or READ_WRITE')
        return _MODIFIES[option.text]

    def _space(self, name: str) -> int:
        option = self.options.get(name)
        try:
            return 0 if option is None else int(option.text)
        except ValueError:
            raise SqlSyntaxError(f"{name} requires an integer value") from None

    def _sort_operator(self) -> int:
        option = self.options.get("sortop")
        if option is None:
            return 0
        if len(self.inputs) != 1:
            raise InvalidFunctionDefinitionError(
                "sort operator can only be specified for single-argument aggregates"
            )
        (kind,) = self.inputs
        found = find_operator_of(option.text, (kind.oid, kind.oid))
        if found is None:
            shown = f"{kind.sql_name} {option.text} {kind.sql_name}"
            raise UndefinedFunctionError(f"operator does not exist: {shown}")
        return found


def _flag(option: AggregateOption | None) -> bool:
    if option is None:
        return False
    if option.text.lower() in ("true", "on", "1"):
        return True
    if option.text.lower() in ("false", "off", "0"):
        return False
    raise SqlSyntaxError(f"{option.name} requires a Boolean value")

"""CREATE, ALTER and DROP FUNCTION and PROCEDURE: each statement to its catalog change."""

from collections.abc import Sequence
from dataclasses import replace

from catalog import changes, changes_drop, changes_function
from catalog.calls import calling
from catalog.changes import CatalogChange
from catalog.errors import (
    AmbiguousFunctionError,
    FeatureNotSupportedError,
    InsufficientPrivilegeError,
    InvalidFunctionDefinitionError,
    InvalidGrantOperationError,
    InvalidParameterValueError,
    SqlSyntaxError,
    UndefinedFunctionError,
    UndefinedObjectError,
    WrongObjectTypeError,
)
from catalog.functions import CALLED_WITH, Function
from catalog.model import Role
from catalog.pg_catalog.text import quote_identifier
from catalog.privileges import Action, require
from catalog.types.registry import ANY
from catalog.types.table import PgType
from kalam_pg.query.ddl_context import (
    DdlContext,
    DdlPlan,
    grantee,
    grantee_or_role,
    plan,
    require_not_moved,
    type_namespace,
)
from kalam_pg.query.function_definition import checked_parameters, result_of
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.overloads import POLYMORPHIC
from kalam_pg.sql.statements import TableName
from kalam_pg.sql.statements_functions import (
    AlterFunction,
    CommentOnFunction,
    CreateFunction,
    DropFunction,
    FunctionName,
    FunctionOptions,
    GrantExecute,
    MoveFunction,
)
from storage.errors import KalamError

_PARALLEL = {"unsafe": "u", "restricted": "r", "safe": "s"}
_SETTINGS = frozenset({"search_path"})


# ------------------------------------------------------------------ CREATE


@plan.register
def _(statement: CreateFunction, context: DdlContext) -> DdlPlan:
    _check_language(statement)
    namespace = type_namespace(context, statement.name)
    require(context.user, Action.CREATE_FUNCTION, namespace)
    parameters = checked_parameters(statement, context)
    made = Function(
        *(0, namespace.name, statement.name.name, parameters),
        *(result_of(statement, parameters, context), _body(statement), context.user.id),
        kind=statement.kind,
        returns_set=statement.returns_set,
        standard=statement.standard,
        created_at_us=context.now_us,
        search_path=tuple(context.search_path),
        rows=1000.0 if statement.returns_set else 0.0,
    )
    made = _with_options(made, statement.options, context)
    if made.standard and any(
        (kind := context.snapshot.type_by_oid(p.type)) is not None and kind.name in POLYMORPHIC
        for p in made.inputs
    ):
        raise InvalidFunctionDefinitionError(
            "SQL function with unquoted function body cannot have polymorphic arguments"
        )
    try:
        made = replace(made, reads=context.check_body(made) if made.standard else ())
        if not made.standard:
            context.check_body(made)
    except KalamError as error:
        if error.position:
            error.position = error.position + statement.body_at if statement.body_at >= 0 else 0
        raise
    change = changes_function.create_function(
        context.snapshot, context.ids, made, or_replace=statement.or_replace
    )
    what = "PROCEDURE" if statement.kind == "p" else "FUNCTION"
    return DdlPlan(change, f"CREATE {what}")


def _check_language(statement: CreateFunction) -> None:
    """Raise 42P13 where none is said, 42704 for an unknown one, 0A000 and 42501 for others than SQL."""
    language = statement.language or ("sql" if statement.standard else "")
    if not language:
        raise InvalidFunctionDefinitionError("no language specified")
    if language in ("c", "internal"):
        raise InsufficientPrivilegeError(f"permission denied for language {language}")
    if language.lower() == "plpgsql":
        raise FeatureNotSupportedError(
            "functions in language plpgsql are not supported",
            hint="LANGUAGE sql is; DO runs a block of statements once.",
        )
    if language.lower() != "sql":
        raise UndefinedObjectError(f'language "{language}" does not exist')


def _body(statement: CreateFunction) -> str:
    if statement.body is None:
        raise InvalidFunctionDefinitionError("no function body specified")
    return statement.body


def _with_options(function: Function, options: FunctionOptions, context: DdlContext) -> Function:
    """What is written of how a function behaves. Raises 22023, 42601, 42501, 42P13, 0A000."""
    if options.definer:
        raise FeatureNotSupportedError(
            "SECURITY DEFINER is not supported",
            hint="A function reads and writes with the rights, and the own rows, of who calls it.",
        )
    if function.kind == "p" and any(
        value is not None
        for value in (options.volatility, options.strict, options.leakproof, options.parallel)
    ):
        raise InvalidFunctionDefinitionError("invalid attribute in procedure definition")
    if options.leakproof and context.user.role.rank < Role.DBA.rank:
        raise InsufficientPrivilegeError("only superuser can define a leakproof function")
    changed: dict[str, object] = {}
    for name in ("volatility", "strict", "leakproof"):
        if getattr(options, name) is not None:
            changed[name] = getattr(options, name)
    if options.parallel is not None:
        if options.parallel not in _PARALLEL:
            raise SqlSyntaxError('parameter "parallel" must be SAFE, RESTRICTED, or UNSAFE')
        changed["parallel"] = _PARALLEL[options.parallel]
    if options.cost is not None:
        if options.cost <= 0:
            raise InvalidParameterValueError("COST must be positive")
        changed["cost"] = options.cost
    if options.rows is not None:
        if options.rows <= 0:
            raise InvalidParameterValueError("ROWS must be positive")
        if not function.returns_set:
            raise InvalidParameterValueError(
                "ROWS is not applicable when function does not return a set"
            )
        changed["rows"] = options.rows
    changed["settings"] = _settings(function, options)
    return replace(function, **changed)  # type: ignore[arg-type]  # by the names of fields


def _settings(function: Function, options: FunctionOptions) -> tuple[tuple[str, str], ...]:
    found = dict(function.settings)
    for name, value in options.settings:
        if name == "all":
            found.clear()
        elif value is None:
            found.pop(name, None)
        elif name not in _SETTINGS:
            raise FeatureNotSupportedError(f"SET {name} of a function is not supported")
        else:
            found[name] = value
    return tuple(found.items())


# ------------------------------------------------------------------ which one


def find_function(context: DdlContext, target: FunctionName) -> Function:
    """The function that a statement names. Raises 42883, 42725, 42809."""
    snapshot, path, name = context.snapshot, context.search_path, target.name
    changes.require_not_system(name.schema)
    named = snapshot.functions_named(name.schema, name.name, path)
    if target.parameters is None:
        kinds = {"function": "fa", "procedure": "p"}.get(target.kind, "fap")
        fitting = [f for f in named if f.kind in kinds]
        if len(fitting) > 1:
            raise AmbiguousFunctionError(
                f'{target.kind} name "{name}" is not unique',
                hint=f"Specify the argument list to select the {target.kind} unambiguously.",
            )
        if not fitting:
            raise UndefinedFunctionError(f'could not find a {target.kind} named "{name}"')
        return _of_kind(fitting[0], target)
    types = [
        resolve_type(p.type, snapshot, path)[0]
        for p in target.parameters
        if not p.mode or p.mode in CALLED_WITH
    ]
    signature = tuple([t.oid for t in types])
    found = next((f for f in named if f.signature == signature), None)
    if found is None and any(p.mode == "o" for p in target.parameters):
        every = tuple([resolve_type(p.type, snapshot, path)[0].oid for p in target.parameters])
        found = next((f for f in named if tuple([p.type for p in f.parameters]) == every), None)
    if found is None:
        shown = _shown(target, types)
        raise UndefinedFunctionError(f"{target.kind} {shown} does not exist")
    return _of_kind(found, target, types)


def _shown(target: FunctionName, types: Sequence[PgType]) -> str:
    if target.kind == "aggregate" and not types:
        return f"{target.name}(*)"
    shown = ", ".join(['"any"' if t is ANY else t.sql_name for t in types])
    return f"{target.name}({shown})"


def _of_kind(function: Function, target: FunctionName, types: Sequence[PgType] = ()) -> Function:
    """The function, if it is of the kind that the statement says: an aggregate is a function, too."""
    wanted = {"function": "fa", "procedure": "p", "aggregate": "a"}.get(target.kind, "fap")
    if function.kind in wanted:
        return function
    if target.kind == "aggregate":
        raise WrongObjectTypeError(f"function {_shown(target, types)} is not an aggregate")
    raise WrongObjectTypeError(f"{target.name} is not a {target.kind}")


# ------------------------------------------------------------------ ALTER, DROP, COMMENT, GRANT


@plan.register
def _(statement: AlterFunction, context: DdlContext) -> DdlPlan:
    function = find_function(context, statement.target)
    require(context.user, Action.ALTER_FUNCTION, function)
    action = statement.action
    tag = f"ALTER {statement.target.kind.upper()}"
    if isinstance(action, FunctionOptions):
        if function.kind == "a":
            raise WrongObjectTypeError(f'"{function.name}" is an aggregate function')
        changed = _with_options(function, action, context)
        return DdlPlan(changes_function.put_function(context.snapshot, changed), tag)
    return DdlPlan(_moved(function, action, context), tag)


def _moved(function: Function, action: MoveFunction, context: DdlContext) -> CatalogChange:
    snapshot = context.snapshot
    if action.owner:
        owned = replace(function, owner=grantee(context, action.owner))
        return changes_function.put_function(snapshot, owned)
    namespace = action.schema or function.namespace
    require_not_moved(function.namespace, namespace)
    name = action.new_name or function.name
    if (namespace, name) != (function.namespace, function.name):
        _check_uncalled(function, context)
    return changes_function.move_function(snapshot, function, namespace, name)


def _check_uncalled(function: Function, context: DdlContext) -> None:
    """Raise 0A000 where something is kept as text that has the function's name in it."""
    users = list(calling(context.snapshot, function))
    if users:
        raise FeatureNotSupportedError(
            f"function {function.name} cannot be called otherwise while {users[0]} calls it"
        )


@plan.register
def _(statement: DropFunction, context: DdlContext) -> DdlPlan:
    found: dict[int, Function] = {}
    notices: list[str] = []
    for target in statement.targets:
        try:
            function = find_function(context, target)
        except (UndefinedFunctionError, UndefinedObjectError) as error:
            if not statement.if_exists:
                raise
            notices.append(_missing(target, context, error))
            continue
        if function.kind == "a" and target.kind == "function":
            raise WrongObjectTypeError(
                f'"{target.name}" is an aggregate function',
                hint="Use DROP AGGREGATE to drop aggregate functions.",
            )
        require(context.user, Action.DROP_FUNCTION, function)
        found[function.id] = function
    change = changes_drop.drop_functions(
        context.snapshot,
        list(found.values()),
        notices,
        cascade=statement.cascade,
        search_path=context.search_path,
    )
    return DdlPlan(change, f"DROP {statement.targets[0].kind.upper()}")


def _missing(target: FunctionName, context: DdlContext, error: KalamError) -> str:
    if isinstance(error, UndefinedObjectError):
        return f"{error.message}, skipping"
    if target.parameters is None:
        return f"{target.kind} {target.name}() does not exist, skipping"
    types = [
        resolve_type(p.type, context.snapshot, context.search_path)[0] for p in target.parameters
    ]
    shown = ",".join([t.sql_name for t in types]) or ("*" if target.kind == "aggregate" else "")
    return f"{target.kind} {_quoted(target.name)}({shown}) does not exist, skipping"


def _quoted(name: TableName) -> str:
    parts = [name.schema, name.name] if name.schema else [name.name]
    return ".".join([quote_identifier(part) for part in parts])


@plan.register
def _(statement: CommentOnFunction, context: DdlContext) -> DdlPlan:
    function = find_function(context, statement.target)
    require(context.user, Action.COMMENT, function)
    commented = replace(function, comment=statement.comment or "")
    return DdlPlan(changes_function.put_function(context.snapshot, commented), "COMMENT")


@plan.register
def _(statement: GrantExecute, context: DdlContext) -> DdlPlan:
    for privilege in statement.privileges:
        if privilege not in ("EXECUTE", "ALL"):
            raise InvalidGrantOperationError(f"invalid privilege type {privilege} for function")
    grantees: Sequence[int | str] = [grantee_or_role(context, n) for n in statement.grantees]
    change = CatalogChange(context.snapshot)
    for target in statement.targets:
        function = find_function(replace(context, snapshot=change.snapshot), target)
        require(context.user, Action.GRANT, function)
        step = changes_function.grant_execute(
            change.snapshot, function, grantees, context.user.id, grant=statement.grant
        )
        change = replace(step, puts=(*change.puts, *step.puts))
    return DdlPlan(change, "GRANT" if statement.grant else "REVOKE")

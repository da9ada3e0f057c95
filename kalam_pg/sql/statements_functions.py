"""Functions and procedures: CREATE, ALTER and DROP, and CALL. As `statements`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kalam_pg.sql.statements import QueryStatement, TableName, TypeName


@dataclass(frozen=True, slots=True)
class ParameterDefinition:
    """mode: i | o | b (INOUT) | v (VARIADIC) | t (TABLE), "" where none is written. default: SQL text."""

    name: str
    type: "TypeName"
    mode: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True)
class FunctionOptions:
    """What is written of how a function behaves, None where nothing is.

    settings: (name, value) of SET, None for RESET; ("all", None) for RESET ALL. parallel: as written.
    """

    volatility: str | None = None
    strict: bool | None = None
    leakproof: bool | None = None
    definer: bool | None = None
    parallel: str | None = None
    cost: float | None = None
    rows: float | None = None
    settings: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class CreateFunction:
    """CREATE [OR REPLACE] FUNCTION | PROCEDURE.

    returns: None where it is not said. body: text of statements, or with `standard` what begins with RETURN
    or BEGIN ATOMIC; None where there is none. body_at: 0-based character where the body's own characters
    begin, -1 where they are not those of the text. language: "" where none is written.
    """

    name: "TableName"
    parameters: tuple[ParameterDefinition, ...]
    returns: "TypeName | None"
    returns_set: bool
    body: str | None
    options: FunctionOptions
    kind: str = "f"
    or_replace: bool = False
    standard: bool = False
    language: str = ""
    body_at: int = -1


@dataclass(frozen=True, slots=True)
class AggregateOption:
    """`name = value`. text: the value as written or as a string means it; type, function: what it is as the
    name of these, None where it cannot be one.
    """

    name: str
    text: str
    type: "TypeName | None" = None
    function: "TableName | None" = None


@dataclass(frozen=True, slots=True)
class CreateAggregate:
    """CREATE [OR REPLACE] AGGREGATE. parameters: None in the old form, which has them among the options."""

    name: "TableName"
    parameters: tuple[ParameterDefinition, ...] | None
    options: tuple[AggregateOption, ...]
    or_replace: bool = False


@dataclass(frozen=True, slots=True)
class FunctionName:
    """A function by its name and perhaps the types that it is called with. kind: function | procedure |
    routine | aggregate, as written.
    """

    name: "TableName"
    parameters: tuple[ParameterDefinition, ...] | None
    kind: str


@dataclass(frozen=True, slots=True)
class MoveFunction:
    """RENAME TO, SET SCHEMA, OWNER TO: what is "" stays."""

    new_name: str = ""
    schema: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class AlterFunction:
    """ALTER FUNCTION | PROCEDURE | ROUTINE | AGGREGATE."""

    target: FunctionName
    action: MoveFunction | FunctionOptions


@dataclass(frozen=True, slots=True)
class DropFunction:
    """DROP FUNCTION | PROCEDURE | ROUTINE | AGGREGATE."""

    targets: tuple[FunctionName, ...]
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class CommentOnFunction:
    """COMMENT ON FUNCTION | PROCEDURE | ROUTINE | AGGREGATE; None removes it."""

    target: FunctionName
    comment: str | None


@dataclass(frozen=True, slots=True)
class GrantExecute:
    """GRANT and REVOKE on functions. privileges: EXECUTE or ALL."""

    grant: bool
    privileges: tuple[str, ...]
    targets: tuple[FunctionName, ...]
    grantees: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallProcedure:
    """CALL. query: SELECT of the call alone, as it is bound."""

    query: "QueryStatement"


FunctionStatement: TypeAlias = (
    CreateFunction
    | CreateAggregate
    | AlterFunction
    | DropFunction
    | CommentOnFunction
    | GrantExecute
    | CallProcedure
)
"""CREATE, ALTER and DROP FUNCTION, PROCEDURE, ROUTINE and AGGREGATE."""

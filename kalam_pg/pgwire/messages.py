"""PostgreSQL's messages as values: one frozen class each, named and spelled as in the manual.

The manual's "Message Formats" is the source of every name here. The packets that come before the
first typed message (StartupMessage, SSLRequest …) are in `startup`; bytes are made and read in
`codec`, `encode` and `frontend`.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Formats = tuple[int, ...]
"""Format codes: () all text, one code for all, or one for each (0 text, 1 binary)."""

TransactionStatus = Literal["I", "T", "E"]
"""ReadyForQuery's word: idle, in a transaction block, in a failed transaction block."""


# Frontend messages ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Query:
    """'Q': simple query, one or more statements."""

    query: str


@dataclass(frozen=True, slots=True)
class Parse:
    """'P': make a prepared statement; `parameter_types[i]` is the OID of `$i+1`, 0 unspecified."""

    statement: str
    query: str
    parameter_types: tuple[int, ...] = ()


Parameter: TypeAlias = bytes | memoryview
"""A parameter's raw value; a view of a very large message's buffer when it is large itself."""


@dataclass(frozen=True, slots=True)
class Bind:
    """'B': give a prepared statement its parameters, making a portal.

    `parameters[i]` is the raw value of `$i+1`, or None for SQL NULL.
    """

    portal: str
    statement: str
    parameter_formats: Formats = ()
    parameters: tuple[Parameter | None, ...] = ()
    result_formats: Formats = ()


@dataclass(frozen=True, slots=True)
class Describe:
    """'D': ask for the columns of a prepared statement ('S') or a portal ('P')."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Execute:
    """'E': run a portal; `max_rows` 0 means all."""

    portal: str
    max_rows: int = 0


@dataclass(frozen=True, slots=True)
class Close:
    """'C': forget a prepared statement ('S') or a portal ('P')."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Flush:
    """'H': send what is waiting."""


@dataclass(frozen=True, slots=True)
class Sync:
    """'S': end of a series of extended-query messages."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """'X': goodbye."""


@dataclass(frozen=True, slots=True)
class CopyData:
    """'d' (both ways): a piece of a COPY stream; pieces need not follow rows."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CopyDone:
    """'c' (both ways): the COPY stream is complete."""


@dataclass(frozen=True, slots=True)
class CopyFail:
    """'f': the frontend gives COPY FROM STDIN up."""

    message: str


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """'F': call a function by OID (a protocol feature that nothing modern uses)."""

    function: int
    argument_formats: Formats = ()
    arguments: tuple[bytes | None, ...] = ()
    result_format: int = 0


@dataclass(frozen=True, slots=True)
class AuthenticationData:
    """'p': PasswordMessage, SASLInitialResponse or SASLResponse.

    The three share a type byte and differ by what was asked; `codec.password`,
    `codec.sasl_initial_response` and `codec.sasl_response` read `data`.
    """

    data: bytes


@dataclass(frozen=True, slots=True)
class SASLInitialResponse:
    """The content of the first 'p' of a SASL exchange; `data` is None when it has none."""

    mechanism: str
    data: bytes | None


FrontendMessage = (
    Query
    | Parse
    | Bind
    | Describe
    | Execute
    | Close
    | Flush
    | Sync
    | Terminate
    | CopyData
    | CopyDone
    | CopyFail
    | FunctionCall
    | AuthenticationData
)


# Backend messages -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldDescription:
    """One column of a RowDescription. `size` is -1 for variable length, `modifier` -1 for none."""

    name: str
    type_oid: int
    size: int = -1
    modifier: int = -1
    format: int = 0
    table_oid: int = 0
    column_number: int = 0


@dataclass(frozen=True, slots=True)
class Authentication:
    """'R': 0 ok, 3 cleartext password, 10 SASL, 11 SASL continue, 12 SASL final; then its data."""

    code: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class BackendKeyData:
    """'K': what a CancelRequest must name. The key has 4 bytes in protocol 3.0, up to 256 in 3.2."""

    process_id: int
    secret_key: bytes


@dataclass(frozen=True, slots=True)
class ParameterStatus:
    """'S': a setting and its value now."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ReadyForQuery:
    """'Z': a new cycle may begin."""

    status: TransactionStatus


@dataclass(frozen=True, slots=True)
class ParseComplete:
    """'1'."""


@dataclass(frozen=True, slots=True)
class BindComplete:
    """'2'."""


@dataclass(frozen=True, slots=True)
class CloseComplete:
    """'3'."""


@dataclass(frozen=True, slots=True)
class NoData:
    """'n': what was described returns no rows."""


@dataclass(frozen=True, slots=True)
class PortalSuspended:
    """'s': max_rows was reached; the portal has more."""


@dataclass(frozen=True, slots=True)
class EmptyQueryResponse:
    """'I': there was no statement."""


@dataclass(frozen=True, slots=True)
class CommandComplete:
    """'C': a statement is done; `tag` as in the manual ("INSERT 0 1")."""

    tag: str


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """'t': the types of a prepared statement's parameters."""

    parameter_types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RowDescription:
    """'T': the columns of the rows that follow."""

    fields: tuple[FieldDescription, ...]


@dataclass(frozen=True, slots=True)
class DataRow:
    """'D': one row; None is SQL NULL."""

    values: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """'E': fields by their letter ("Error and Notice Message Fields")."""

    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NoticeResponse:
    """'N': as ErrorResponse, but nothing failed."""

    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NotificationResponse:
    """'A': a NOTIFY reached this session."""

    process_id: int
    channel: str
    payload: str


@dataclass(frozen=True, slots=True)
class NegotiateProtocolVersion:
    """'v': the newest minor version served, and the `_pq_.` options not known."""

    minor: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyInResponse:
    """'G': send CopyData now."""

    format: int
    column_formats: Formats


@dataclass(frozen=True, slots=True)
class CopyOutResponse:
    """'H': CopyData follows."""

    format: int
    column_formats: Formats


@dataclass(frozen=True, slots=True)
class CopyBothResponse:
    """'W': CopyData both ways (replication only)."""

    format: int
    column_formats: Formats


BackendMessage = (
    Authentication
    | BackendKeyData
    | ParameterStatus
    | ReadyForQuery
    | ParseComplete
    | BindComplete
    | CloseComplete
    | NoData
    | PortalSuspended
    | EmptyQueryResponse
    | CommandComplete
    | ParameterDescription
    | RowDescription
    | DataRow
    | ErrorResponse
    | NoticeResponse
    | NotificationResponse
    | NegotiateProtocolVersion
    | CopyInResponse
    | CopyOutResponse
    | CopyBothResponse
    | CopyData
    | CopyDone
)

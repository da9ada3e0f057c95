"""What the statements of live changes say: SUBSCRIBE, LISTEN, NOTIFY …. As `statements`, of which they
are part.

A channel's name arrives whole, however long: what is too long depends on what it names.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from kalam_pg.sql.statements import QueryStatement


@dataclass(frozen=True, slots=True)
class SubscribeOptions:
    """OPTIONS of a subscription; `sql.subscribe_options` reads them.

    last_rows: of the snapshot, None is all. from_seq: a seq or a token, "" for none. progress_ms: 0 is
    never. bigint: how int8 and numeric values are told: string, number, or "" as is usual where
    they are told. old: previous rows are told.
    batch_size: rows of the snapshot at a time, 0 as the server likes.
    """

    last_rows: int | None = None
    from_seq: str = ""
    snapshot: bool = True
    channel: str = ""
    stream: bool = False
    progress_ms: int = 0
    batch_size: int = 0
    bigint: Literal["", "string", "number"] = ""
    old: bool = True
    flush: bool = False


@dataclass(frozen=True, slots=True)
class Subscribe:
    """query: of one table; SUBSCRIBE TO t WHERE … is SELECT * FROM t WHERE …."""

    query: "QueryStatement"
    options: SubscribeOptions = SubscribeOptions()


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    channel: str


@dataclass(frozen=True, slots=True)
class Listen:
    """since: a seq or a token to replay from, "" where none was said."""

    channel: str
    since: str = ""


@dataclass(frozen=True, slots=True)
class Unlisten:
    channel: str | None  # None is *


@dataclass(frozen=True, slots=True)
class Notify:
    channel: str
    payload: str = ""


@dataclass(frozen=True, slots=True)
class KillLiveQuery:
    id: str


LiveStatement: TypeAlias = Subscribe | Unsubscribe | Listen | Unlisten | Notify | KillLiveQuery

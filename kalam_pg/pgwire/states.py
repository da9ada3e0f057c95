"""Which message may come when: one table, and what the server does to the state itself.

Everything about the order of a frontend's messages is in `TRANSITIONS` and `EVENTS`; nothing else
in the project decides it. The manual's sections "Message Flow" are the source.

    STARTUP   until authentication ends. Only 'p' and Terminate.
    IDLE      after ReadyForQuery.
    EXTENDED  a Parse, Bind … came and its Sync did not. An error here leads to SKIP.
    SKIP      an extended-query message failed: everything up to Sync is dropped unread.
    COPY_IN   CopyInResponse was sent by a simple query. CopyDone and CopyFail end it.
    COPY_IN_EXTENDED  the same by an Execute, so that an error leads to SKIP.
    COPY_OUT  the server sends CopyData; nothing is due from the frontend.
    FAILED    as IDLE in a failed transaction block ('E' in ReadyForQuery): the same messages are
              legal; which statements are is decided by the statement.
    CLOSED    Terminate came.

A message is *accepted* (the session handles it), *dropped* (legal, and ignored: the manual says so
for Flush and Sync during COPY, and for everything after an error) or *refused* (08P01).
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import (
    AuthenticationData,
    Bind,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    Execute,
    Flush,
    FrontendMessage,
    FunctionCall,
    Parse,
    Query,
    Sync,
    Terminate,
)


class State(Enum):
    """Where a connection is; see the module."""

    STARTUP = auto()
    IDLE = auto()
    EXTENDED = auto()
    SKIP = auto()
    COPY_IN = auto()
    COPY_IN_EXTENDED = auto()
    COPY_OUT = auto()
    FAILED = auto()
    CLOSED = auto()


class Event(Enum):
    """What the server does that changes what may come next."""

    AUTHENTICATED = auto()
    READY = auto()  # ReadyForQuery 'I' or 'T'.
    READY_FAILED = auto()  # ReadyForQuery 'E'.
    ERROR = auto()  # ErrorResponse.
    COPY_IN = auto()  # CopyInResponse.
    COPY_OUT = auto()  # CopyOutResponse.
    COPY_ENDED = auto()  # The COPY's statement is done.


DROP: Final = None
"""In `TRANSITIONS`: take the message, do nothing, stay."""

_MessageType = type[FrontendMessage]

_ORDINARY: Final[Mapping[_MessageType, State | None]] = {
    Query: State.IDLE,
    FunctionCall: State.IDLE,
    Parse: State.EXTENDED,
    Bind: State.EXTENDED,
    Describe: State.EXTENDED,
    Execute: State.EXTENDED,
    Close: State.EXTENDED,
    Flush: State.EXTENDED,
    Sync: State.IDLE,
    # A COPY that failed leaves some of these on the way ("COPY Operations").
    CopyData: DROP,
    CopyDone: DROP,
    CopyFail: DROP,
    Terminate: State.CLOSED,
}

_SKIPPED: Final[Mapping[_MessageType, State | None]] = {
    **dict.fromkeys(_ORDINARY, DROP),
    Sync: State.IDLE,
    Terminate: State.CLOSED,
}


def _copying(state: State, after: State) -> Mapping[_MessageType, State | None]:
    return {
        CopyData: state,
        CopyDone: after,
        CopyFail: after,
        Flush: DROP,
        Sync: DROP,
        Terminate: State.CLOSED,
    }


TRANSITIONS: Final[Mapping[State, Mapping[_MessageType, State | None]]] = {
    State.STARTUP: {AuthenticationData: State.STARTUP, Terminate: State.CLOSED},
    State.IDLE: _ORDINARY,
    State.FAILED: {**_ORDINARY, Query: State.FAILED, FunctionCall: State.FAILED,
                   Sync: State.FAILED},
    State.EXTENDED: _ORDINARY,
    State.SKIP: _SKIPPED,
    State.COPY_IN: _copying(State.COPY_IN, State.IDLE),
    State.COPY_IN_EXTENDED: _copying(State.COPY_IN_EXTENDED, State.EXTENDED),
    # The frontend may send ahead while it is sent to; that is read when the COPY is over.
    State.COPY_OUT: {Terminate: State.CLOSED},
    State.CLOSED: {},
}  # fmt: skip

EVENTS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.STARTUP: {Event.AUTHENTICATED: State.IDLE, Event.ERROR: State.CLOSED},
    State.IDLE: {
        Event.READY: State.IDLE,
        Event.READY_FAILED: State.FAILED,
        Event.ERROR: State.IDLE,
        Event.COPY_IN: State.COPY_IN,
        Event.COPY_OUT: State.COPY_OUT,
    },
    State.FAILED: {
        Event.READY: State.IDLE,
        Event.READY_FAILED: State.FAILED,
        Event.ERROR: State.FAILED,
    },
    State.EXTENDED: {
        Event.ERROR: State.SKIP,
        Event.COPY_IN: State.COPY_IN_EXTENDED,
        Event.COPY_OUT: State.EXTENDED,
        Event.COPY_ENDED: State.EXTENDED,
    },
    State.SKIP: {Event.ERROR: State.SKIP},
    State.COPY_IN: {Event.ERROR: State.IDLE, Event.COPY_ENDED: State.IDLE},
    State.COPY_IN_EXTENDED: {Event.ERROR: State.SKIP, Event.COPY_ENDED: State.EXTENDED},
    State.COPY_OUT: {Event.ERROR: State.IDLE, Event.COPY_ENDED: State.IDLE},
    State.CLOSED: {},
}


def legal(state: State, message: FrontendMessage) -> bool:
    """Whether `message` may come in `state` (dropped ones may)."""
    return type(message) in TRANSITIONS[state]


def step(state: State, message: FrontendMessage) -> tuple[State, bool]:
    """The state after `message`, and whether the session has to handle it (False: drop it).

    Raises:
        ProtocolViolationError: it may not come here. In COPY it fails the COPY and the session
            goes on; anywhere else the connection ends.
    """
    row = TRANSITIONS[state]
    kind = type(message)
    if kind not in row:
        raise ProtocolViolationError(
            f"unexpected message {kind.__name__} {_DURING[state]}",
            fatal=state not in (State.COPY_IN, State.COPY_IN_EXTENDED),
        )
    after = row[kind]
    return (state, False) if after is None else (after, True)


def after(state: State, event: Event) -> State:
    """The state after something the server did. An event that cannot happen is a bug."""
    reached = EVENTS[state].get(event)
    assert reached is not None, f"{event} in {state}"
    return reached


_DURING: Final[Mapping[State, str]] = {
    State.STARTUP: "before authentication",
    State.IDLE: "after authentication",
    State.FAILED: "after authentication",
    State.EXTENDED: "in an extended query",
    State.SKIP: "after an error",
    State.COPY_IN: "during COPY from stdin",
    State.COPY_IN_EXTENDED: "during COPY from stdin",
    State.COPY_OUT: "during COPY to stdout",
    State.CLOSED: "after Terminate",
}

"""A connection's session: messages in, bytes out, one state machine between (the loop owns the socket).

`advance` takes messages one after another. A message whose handling must wait leaves a generator (a
*flow*) behind, which goes on when its `Wait` has ended. Errors become ErrorResponses here and nowhere
else.
"""

from collections.abc import Callable, Sequence
from time import monotonic

from catalog.errors import (
    AdminShutdownError,
    ConfigurationLimitExceededError,
    FeatureNotSupportedError,
)
from kalam_pg.failures import known, let_go
from kalam_pg.memory import Holding
from kalam_pg.pgwire import messages as m
from kalam_pg.pgwire.codec import FrontendDecoder
from kalam_pg.pgwire.encode import notification_head, parameter_status, ready_for_query
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.notices import notice_bytes
from kalam_pg.query.waits import Steps, Wait
from kalam_pg.sessions.services import Services
from kalam_pg.sessions.settings_table import SETTINGS
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.wire import extended, idling, pushes, quick, simple
from kalam_pg.wire.admission import admit
from kalam_pg.wire.authentication import Authentication
from kalam_pg.wire.client_text import ClientText
from kalam_pg.wire.protocols import PAUSE, PENDING, Peer, Timer, Transport, Work
from kalam_pg.wire.quick_commit import QuickCommit
from kalam_pg.wire.quick_statement import QuickBind
from kalam_pg.wire.shapes import Shapes
from storage.errors import KalamError

MESSAGES_PER_TURN = 256
"""After so many messages the other connections have their turn."""

TURN_S = 0.004
"""Or after so long, when they are not of the quick kind: to prepare one may take a millisecond or two."""

OUTBOX_BYTES_MAX = 1 << 20
"""With so much unsent a pipeline is not answered further in this turn."""

HELD_BYTES_MAX = 8192
"""More answers than this do not wait for Sync: PostgreSQL's buffer (PQ_SEND_BUFFER_SIZE)."""


class WireSession:
    """See `wire.protocols.Session`, which this implements.

    sql: the conversation behind it, once authenticated.
    """

    def __init__(self, services: Services, transport: Transport, peer: Peer) -> None:
        self.services = services
        self.transport = transport
        self.peer = peer
        self.outbox, self.held = bytearray(), bytearray()
        self.closing = False
        self.started_us = services.database.now_us()
        self.decoder = FrontendDecoder(services.config.message_bytes_max)
        self.feed: Callable[[bytes], None] = self.decoder.feed
        self.sql: SqlSession | None = None
        self.protocol_minor = 0
        self._authentication = Authentication()
        self._flow: Steps[None] | None = None
        self._wait: Wait | None = None
        self._skipping = self.has_idle_timeouts = False
        self._canceled: KalamError | None = None
        self.idle: Timer | None = None
        self.idle_settings = -1
        self._unsent: Holding | None = None
        self.fresh: Timer | None = None
        self._beat: tuple[float, Timer] | None = None
        self.shapes = Shapes()
        self.quick_commit = QuickCommit(self)
        self.quick_binds: dict[str, QuickBind] = {}
        self.quick_bind: QuickBind | None = None
        self.text = ClientText(self.decoder)

    @property
    def process_id(self) -> int:
        """BackendKeyData's number, by which others know this session."""
        return self.transport.process_id

    @property
    def client_address(self) -> str:
        """Where the client is; "" on a Unix socket."""
        return self.peer.address

    # ------------------------------------------------------------------ what the loop calls

    @property
    def resting(self) -> bool:
        """See `protocols.ServedSession`."""
        return not (
            self.decoder.buffered
            or self._flow is not None
            or self.closing
            or self.has_idle_timeouts
            or (self.sql is not None and pushes.has_heard(self.sql))
        )

    @property
    def unread(self) -> int:
        """See `protocols.ServedSession`."""
        return self.decoder.unread

    def advance(self) -> Work | None:
        """Go on with the flow that waited, then with the messages that are there."""
        if self.idle is not None:
            if not self.decoder.buffered and self.sql is not None:
                return self._rest(self.sql)  # Being told something is no end of idling.
            self._stop_idling()
        begun = 0.0
        for _ in range(MESSAGES_PER_TURN):
            if self._flow is None:
                if self.closing:
                    return None
                sql = self.sql
                if sql is not None:
                    if not self.decoder.buffered:
                        return self._rest(sql)
                    if self.may_be_quick(sql):
                        done = quick.be_quick(self, sql)
                        if done is not quick.NOT_DONE:
                            self.flow_is_extended = False  # It has taken a Sync, or a Query.
                            if sql.portals:
                                sql.portals.drop("")  # As its Bind, or the Query, does.
                            if done is quick.ANSWERED:
                                if len(self.outbox) > OUTBOX_BYTES_MAX:
                                    return PAUSE  # It goes on when the peer has read.
                                continue
                            return PENDING
                try:
                    if not self._next_flow():
                        return None if self.sql is None else self._rest(self.sql)
                except ProtocolViolationError as exc:
                    self._protocol_error(exc)
                    continue
                if self._flow is None:
                    continue
            begun = begun or monotonic()
            work = self._step() or self._pause(begun)
            if work is not None:
                return work
        return PAUSE

    def _pause(self, begun_s: float) -> Work | None:
        """What to return after a message when others should have their turn, or the peer is to read."""
        if len(self.outbox) > OUTBOX_BYTES_MAX:
            self._note_unsent()
            return PAUSE
        return PAUSE if monotonic() - begun_s > TURN_S else None

    def _note_unsent(self) -> None:
        """What has been answered is there, whatever becomes of the statement: the peer may never read it."""
        if self.sql is not None:
            self._unsent = self.sql.account.holding("unsent answers")
            self._unsent.note(len(self.outbox))

    def eof(self) -> None:
        """Nobody can read what is being made: stop making it."""
        if self._wait is not None:
            self._wait.cancel()

    def farewell(self, error: KalamError) -> None:
        """Tell the streams why they end, if the client may be told anything."""
        if self.sql is not None and self.silence in ("", pushes.UNREAD):
            pushes.end_all(self, self.sql, error)

    def let_in(self, sql: SqlSession) -> None:
        """It is authenticated: what it sends counts for it from now on."""
        account = sql.account
        account.end = self._make_room
        self.decoder.authenticated()
        self.text.begin(sql.settings)
        self.decoder.admit = lambda kind, size: admit(account, kind, size)
        self.decoder.hold = account.holding("input").set

    def _make_room(self, error: KalamError) -> None:
        """See `memory.End`."""
        transport = self.transport
        transport.run_sync_soon(lambda: transport.terminate(error, at_once=True))

    def disconnected(self) -> None:
        """Release everything."""
        self.closing = True
        if self._flow is not None:
            self._flow.close()
            self._flow = None
        # What it holds is freed now: it stands in circles, which the collector may find much later.
        self.quick_binds.clear()
        self.quick_bind = None
        self.shapes = Shapes()
        self.decoder = FrontendDecoder()
        self.feed, self.text = self.decoder.feed, ClientText(self.decoder)
        self.outbox, self.held = bytearray(), bytearray()
        if self.sql is not None:
            self.sql.close()
            self.services.registry.remove(self)

    # ------------------------------------------------------------------ for the flows

    def send(self, data: bytes | memoryview) -> None:
        """Queue an answer; those of the extended protocol wait for Sync or Flush, or for some more.

        A client that sends a pipeline in pieces has no answers in between, as with PostgreSQL.
        """
        if not self.flow_is_extended:
            self.outbox += data
            return
        self.held += data
        if len(self.held) > HELD_BYTES_MAX:
            self.release()

    def release(self) -> None:
        """What is held is to be sent: before anything else is queued, and at Sync and Flush."""
        if self.held:
            self.outbox += self.held
            self.held.clear()

    def error(self, error: KalamError, *, severity: str = "") -> None:
        """Queue an ErrorResponse."""
        self.release()
        self.outbox += self.text.error(error, severity)

    def send_notices(self) -> None:
        """Queue what the conversation has to tell beside its answers, and changed settings."""
        sql = self.sql
        assert sql is not None
        if sql.notices:
            self.release()
            for notice in sql.notices:
                self.outbox += self.text.told(notice_bytes(notice))
            sql.notices.clear()

    def ready(self) -> None:
        """Queue ReadyForQuery, changed settings before it."""
        self.release()
        sql = self.sql
        assert sql is not None
        sql.forget_values()
        self.send_notices()
        changed = sql.settings.changed
        if changed:
            self.text.follow()
            for name in sorted(changed):
                value = sql.settings.get(name) or ""
                self.outbox += self.text.told(parameter_status(SETTINGS[name].name, value))
            changed.clear()
        if sql.listener is not None and sql.transaction is None:
            pushes.tell(self, sql.listener)
        self.outbox += ready_for_query(sql.status)

    # ------------------------------------------------------------------ what was not asked for

    def wake(self) -> None:
        """See `sessions.listening.Ears`."""
        self.transport.schedule()

    def push(self, bodies: Sequence[bytes]) -> bool:
        """See `sessions.listening.Ears`."""
        sql = self.sql
        if (
            self._flow is not None
            or self.flow_is_extended
            or self.closing
            or sql is None
            or sql.transaction is not None
            or self.decoder.buffered
            or len(self.outbox) > pushes.PUSHED_BYTES
            or not self.transport.idles
        ):
            return False
        process_id = self.process_id
        for body in bodies:
            self.outbox += self.text.told(notification_head(process_id, body) + body, 9)
        self.transport.push()
        return True

    def overflow(self) -> None:
        """See `sessions.listening.Ears`."""
        self.transport.terminate(
            ConfigurationLimitExceededError(
                "terminating connection because it does not read its notifications",
                detail="More notifications wait for it than are kept for one session.",
            )
        )

    def _rest(self, sql: SqlSession) -> Work | None:
        """There is nothing to do: tell what has come meanwhile, if the client is not in the middle of
        something.
        """
        if self._unsent is not None:
            self._unsent.note(len(self.outbox))
        if sql.transaction is None and not self.flow_is_extended:
            if pushes.has_heard(sql):
                self._flow = pushes.push(self, sql)
                if self._flow is not None:
                    self._stop_idling()
                    return PAUSE
                if pushes.has_heard(sql):
                    return PAUSE
            if sql.subscriptions:
                pushes.let_begin(self, sql)
                pushes.beat(self, sql)
        if self.idle is None:
            idling.watch(self, sql)
        return None

    def beat_at(self, due_s: float, delay_s: float) -> None:
        """Look at heartbeats at `due_s`, which is `delay_s` from now, unless that is to be sooner."""
        if self._beat is not None:
            if self._beat[0] <= due_s:
                return
            self._beat[1].cancel()

        def look() -> None:
            self._beat = None
            self.transport.schedule()

        self._beat = (due_s, self.transport.call_later(delay_s, look))

    @property
    def silence(self) -> str:
        """See `sessions.session_registry.Connected`."""
        if self.sql is not None and self.sql.status != "I":
            return "its session is in a transaction block"
        if self._flow is not None or self.flow_is_extended or self.decoder.buffered:
            return "its session runs a statement"
        return pushes.UNREAD if self.transport.unsent else ""

    def _stop_idling(self) -> None:
        if self.idle is not None:
            self.idle.cancel()
            self.idle = None

    # ------------------------------------------------------------------ inside

    def _next_flow(self) -> bool:
        """Take the next message, if it is there (else False). Raises 08P01."""
        if self.sql is None:
            self._flow = self._authentication.next(self)
            return self._flow is not None
        self.text.follow()
        message = self.decoder.next()
        if message is None:
            return False
        self._flow = self._handle(message)
        return True

    def may_be_quick(self, sql: SqlSession) -> bool:
        """Whether nothing is untold and no transaction open but a plain block, so that a statement can be
        done in one step.
        """
        transaction = sql.transaction
        return not (
            (transaction is not None and not transaction.is_plain)
            or self._skipping
            or (sql.portals and sql.portals.some_are_named)
            or sql.notices
            or sql.settings.changed
            or self.text.is_foreign
        )

    def _handle(self, message: m.FrontendMessage) -> Steps[None] | None:
        """What one message asks for, as a flow; None when there is nothing to do."""
        if self._skipping and not isinstance(message, m.Sync | m.Terminate):
            return None
        match message:
            case m.Bind():
                return extended.bind(self, message)
            case m.Execute():
                return extended.execute(self, message)
            case m.Sync():
                self._skipping = False
                return extended.sync(self)
            case m.Query():
                return simple.query(self, message.query)
            case m.Parse():
                return extended.parse(self, message)
            case m.Describe():
                return extended.describe(self, message)
            case m.Close():
                return extended.close(self, message)
            case m.Flush():
                self.release()
                return None  # whatever is queued is sent at the end of every turn
            case m.Terminate():
                self.closing = True
                return None
            case m.CopyData() | m.CopyDone() | m.CopyFail():
                return None  # left over from a COPY that failed ("COPY Operations")
            case m.FunctionCall():
                return self._refuse_function_call()
            case m.AuthenticationData():
                raise AssertionError("the decoder refuses it once authenticated")

    def _refuse_function_call(self) -> Steps[None]:
        self.error(FeatureNotSupportedError("the function call protocol is not supported"))
        self.ready()
        return
        yield

    def _step(self) -> Work | None:
        """Run the flow until it waits (the Work) or ends (None)."""
        flow = self._flow
        assert flow is not None
        self._wait = None
        try:
            wait = next(flow)
        except StopIteration:
            self._flow = None
            return None
        except Exception as exc:  # noqa: BLE001 -- this statement's alone
            self._flow = None
            if isinstance(exc, ProtocolViolationError) and exc.fatal:
                self._protocol_error(exc)
            else:
                self._fail(known(exc, process=self.transport.process_id))
            let_go(exc)
            return None
        self._wait = wait
        if wait.patient:
            self.release()
            self.transport.write(b"")  # What was answered is sent now, whatever comes next.
        return wait

    def _fail(self, error: KalamError) -> None:
        """A flow raised: tell the client, and let the transaction know."""
        if self.sql is None:
            # Nothing can go on before authentication: every error is fatal.
            self.error(error, severity="FATAL")
            self.closing = True
            return
        self.send_notices()
        self.error(error)
        if error.severity == "FATAL":
            self.closing = True
            return
        self.sql.fail()
        if self.flow_is_extended:
            self._skipping = True
        else:
            self.ready()

    def _protocol_error(self, error: ProtocolViolationError) -> None:
        if error.fatal or self.sql is None:
            self.error(error, severity="FATAL")
            self.closing = True
            return
        self.sql.fail()
        self.error(error)
        if error.message_type in ("Q", "F"):
            self._skipping = False
            self.ready()  # A Query or FunctionCall is answered by itself: no Sync will come.
        else:
            self._skipping = True

    flow_is_extended = False
    """Set by the flows: whether a Sync is to come, which an error makes the session skip to, and before
    which the client is told nothing that it did not ask for."""

    @property
    def is_active(self) -> bool:
        """Whether something runs for it."""
        return self._flow is not None

    def cancel(self, error: KalamError) -> None:
        """Stop what is running with an error (a timeout, an administrator)."""
        if self._wait is not None:
            self._wait.cancel(error)

    def terminate(self, reason: str) -> None:
        """End this session with 57P01 (its user was dropped, the server shuts down)."""
        self.transport.terminate(AdminShutdownError(reason))

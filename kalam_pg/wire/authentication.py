"""From the startup packet to ReadyForQuery: who is it, and may they come in?

The Unix socket trusts the operating-system user that owns the data directory as the system role;
everyone else proves a password by SCRAM. An unknown user, one who may not log in and a wrong
password look the same.
"""

import os
import pwd
from functools import partial
from typing import TYPE_CHECKING

import trio

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidAuthorizationSpecificationError,
    InvalidCatalogNameError,
    InvalidPasswordError,
)
from catalog.model import User
from catalog.names import DATABASES
from kalam_pg.pgwire import encode
from kalam_pg.pgwire import messages as m
from kalam_pg.pgwire.bodies import sasl_initial_response, sasl_response
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.scram import (
    ScramServer,
    mechanisms,
    mock_verifier,
    parse_verifier,
    password_failed,
)
from kalam_pg.pgwire.startup import StartupMessage, negotiation, supported
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.sessions import backends, role_settings
from kalam_pg.sessions.settings import Settings
from kalam_pg.sessions.settings_table import SETTINGS
from kalam_pg.sessions.sql_session import SqlSession

if TYPE_CHECKING:
    from kalam_pg.wire.session import WireSession

ROOT = "root"
"""The system role that exists from the first start."""

_NOT_SETTINGS = frozenset(("user", "database", "options", "replication"))


class Authentication:
    """The exchange before a session is one. `next` gives the flow of the next message, if it is there."""

    def __init__(self) -> None:
        self._startup: StartupMessage | None = None
        self._scram: ScramServer | None = None
        self._user: User | None = None
        self._name = ""
        self._first_seen = False

    def next(self, session: "WireSession") -> Steps[None] | None:
        """The flow that handles the next packet or message; None when more bytes are needed."""
        if self._startup is None:
            packet = session.decoder.next_startup()
            if packet is None:
                return None
            if not isinstance(packet, StartupMessage):
                raise ProtocolViolationError("unexpected request inside a session")
            return self._begin(session, packet)
        message = session.decoder.next()
        if message is None:
            return None
        if isinstance(message, m.Terminate):
            session.closing = True
            return None
        if not isinstance(message, m.AuthenticationData):
            raise ProtocolViolationError("expected SASL response")
        return self._sasl(session, message)

    def _begin(self, session: "WireSession", startup: StartupMessage) -> Steps[None]:
        self._startup = startup
        if not supported(startup):
            raise FeatureNotSupportedError(
                f"unsupported frontend protocol {startup.major}.{startup.minor}: "
                "server supports 3.0 to 3.2"
            )
        session.protocol_minor = min(startup.minor, 2)
        offer = negotiation(startup)
        if offer is not None:
            session.send(encode.negotiate_protocol_version(offer.minor, offer.options))
        parameters = startup.parameters
        if parameters.get("replication", "off").lower() not in ("off", "false", "no", "0"):
            raise FeatureNotSupportedError("replication connections are not supported")
        name = self._name = parameters.get("user", "")
        if not name:
            raise InvalidAuthorizationSpecificationError(
                "no PostgreSQL user name specified in startup packet"
            )
        store = session.services.database.store
        peer = session.peer
        owner = peer.kind == "unix" and peer.uid == session.services.owner_uid
        if owner and name in (ROOT, _os_name(peer.uid)):
            root = store.user_by_name(ROOT)
            assert root is not None, "the first start made it"
            yield from self._welcome(session, root)
            return
        if peer.kind == "tcp" and peer.tls is None and session.services.config.tls == "require":
            raise InvalidAuthorizationSpecificationError("this server requires TLS")
        user = store.user_by_name(name)
        known = user is not None and user.can_login and user.deleted_at_us is None
        verifier = parse_verifier(user.verifier) if user is not None else None
        self._user = user
        binding = peer.tls.channel_binding if peer.tls is not None else None
        self._verifier = verifier or mock_verifier(name, session.services.mock_secret)
        self._known = known and verifier is not None
        self._binding = binding
        session.send(encode.authentication_sasl(mechanisms(channel_binding=binding is not None)))

    def _sasl(self, session: "WireSession", message: m.AuthenticationData) -> Steps[None]:
        if self._scram is None:
            initial = sasl_initial_response(message)
            self._scram = ScramServer(
                initial.mechanism,
                self._verifier,
                known=self._known,
                channel_binding=self._binding,
            )
            if initial.data is None:
                session.send(encode.authentication_sasl_continue(b""))
                return
            self._first_seen = True
            session.send(encode.authentication_sasl_continue(self._scram.first(initial.data)))
            return
        if not self._first_seen:
            self._first_seen = True
            answer = self._scram.first(sasl_response(message))
            session.send(encode.authentication_sasl_continue(answer))
            return
        final = self._scram.final(sasl_response(message))
        # Nothing waits from here on until the session is known to whoever changes a user.
        user = self._user_now(session)
        if final is None or user is None:
            # Who guesses waits, and nobody who knows.
            delay_s = session.transport.authentication_failed(self._name)
            yield from run_async(partial(trio.sleep, delay_s))
            raise InvalidPasswordError(password_failed(self._name))
        session.send(encode.authentication_sasl_final(final))
        yield from self._welcome(session, user)

    def _user_now(self, session: "WireSession") -> User | None:
        """The user that the exchange began with as they now are; None: it would not have begun so."""
        began = self._user
        if began is None:
            return None
        now = session.services.database.store.user_by_name(self._name)
        if now is None or now.id != began.id or now.verifier != began.verifier:
            return None
        return now if now.can_login and now.deleted_at_us is None else None

    def _welcome(self, session: "WireSession", user: User) -> Steps[None]:
        """Authenticated: settings, key data, ReadyForQuery."""
        startup = self._startup
        assert startup is not None
        session.transport.authenticated(self._name)
        database = startup.parameters.get("database", DATABASES[0])
        if database not in DATABASES and database != self._name:
            raise InvalidCatalogNameError(f'database "{database}" does not exist')
        settings = Settings(session.services.setting_defaults)
        services = session.services
        warnings = role_settings.begin_with(settings, services.database.store, user)
        for name, value in _startup_settings(startup):
            settings.start_with(name, value)  # an error is fatal: the session does not exist yet
        session.sql = SqlSession(services.database, services.cache, services.jobs, user, settings)
        for warning in warnings:
            session.sql.notice(warning, severity="WARNING", sqlstate="22023")
        session.sql.services["pg_backend_pid"] = lambda: session.transport.process_id
        soon = session.transport.run_sync_soon
        session.sql.services.update(backends.functions(session.sql, services.registry, soon))
        session.sql.process = session.transport.process_id
        session.sql.end = session.terminate
        session.sql.ears = session
        session.let_in(session.sql)
        services.registry.add(session)
        session.send(encode.AUTHENTICATION_OK)
        settings.changed.clear()
        for setting in SETTINGS.values():
            if setting.report:
                value = settings.get(setting.name) or ""
                session.send(encode.parameter_status(setting.name, value))
        transport = session.transport
        key = transport.backend_key(session.protocol_minor)
        session.send(encode.backend_key_data(transport.process_id, key))
        session.ready()
        return
        yield


def _os_name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid if uid is not None else os.getuid()).pw_name
    except KeyError:
        return ""


def _startup_settings(startup: StartupMessage) -> list[tuple[str, str]]:
    """The settings of a startup packet: its parameters, and `-c name=value` in `options`."""
    pairs: list[tuple[str, str]] = []
    words = _split_options(startup.parameters.get("options", ""))
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            word = words.pop(0)
        elif word.startswith("--"):
            word = word[2:].replace("-", "_")
        elif word.startswith("-c"):
            word = word[2:]
        else:
            raise InvalidAuthorizationSpecificationError(f"invalid command-line argument: {word}")
        name, _, value = word.partition("=")
        pairs.append((name, value))
    pairs += [
        (name, value)
        for name, value in startup.parameters.items()
        if name not in _NOT_SETTINGS and not name.startswith("_pq_.")
    ]
    return pairs


def _split_options(text: str) -> list[str]:
    """Words of `options`: blanks between, a backslash takes the next character as it is."""
    words: list[str] = []
    word, escaped, open_ = "", False, False
    for char in text:
        if escaped:
            word, escaped, open_ = word + char, False, True
        elif char == "\\":
            escaped = True
        elif char.isspace():
            if open_:
                words.append(word)
            word, open_ = "", False
        else:
            word, open_ = word + char, True
    if open_:
        words.append(word)
    return words


__all__ = ["DATABASES", "ROOT", "Authentication"]

"""The sockets that a server listens on: TCP, and `DIR/.s.PGSQL.PORT`.

The TCP socket is bound first, which settles the port; the Unix socket listens first, so that
whoever sees the port open finds the Unix socket too.
"""

import contextlib
import errno
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kalam_pg.config import ConfigError
from kalam_pg.wire.protocols import Peer

BACKLOG: Final = 1024
DIRECTORY_MODE: Final = 0o700
SOCKET_MODE: Final = 0o600
PATH_BYTES_MAX: Final = 107
"""sockaddr_un.sun_path has 108 bytes, one of them for the zero."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Listening, non-blocking sockets. `host`, `port`: what a TCP client connects to."""

    host: str
    port: int
    tcp: tuple[socket.socket, ...]
    unix: socket.socket
    unix_path: Path
    unix_inode: int

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """All of them."""
        return (self.unix, *self.tcp)

    def close(self) -> None:
        """Close them all and remove the Unix socket's file, if it is still ours."""
        with contextlib.suppress(OSError):
            if self.unix_path.lstat().st_ino == self.unix_inode:
                self.unix_path.unlink()
        for sock in self.sockets:
            sock.close()


def open_listeners(host: str, port: int, directory: Path) -> Listeners:
    """Listen on `host`:`port` (0: a free one; "" host: no TCP) and in `directory`.

    Raises:
        ConfigError: an address or path is in use, not ours, or no address at all.
    """
    with contextlib.ExitStack() as undo:
        tcp = _bind_tcp(host, port, undo)
        if tcp:
            port = tcp[0].getsockname()[1]
        path = directory / f".s.PGSQL.{port}"
        unix = _listen_unix(path, undo)
        for sock in tcp:
            try:
                sock.listen(BACKLOG)
            except OSError as exc:
                raise _cannot(host, port, exc) from exc
        undo.pop_all()
        shown = tcp[0].getsockname()[0] if tcp else ""
        return Listeners(shown, port, tuple(tcp), unix, path, path.lstat().st_ino)


def _bind_tcp(host: str, port: int, undo: contextlib.ExitStack) -> list[socket.socket]:
    if not host:
        return []
    try:
        found = socket.getaddrinfo(
            None if host == "*" else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as exc:
        raise ConfigError(f'host "{host}": {exc.strerror}') from exc
    sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in sorted(found, key=lambda entry: entry[0]):
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError:
            continue  # The machine has no IPv6; the other address remains.
        undo.callback(sock.close)
        sock.setblocking(False)
        # A server that was restarted need not wait for its old connections' TIME_WAIT.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        wanted = sockets[0].getsockname()[1] if sockets else port
        try:
            sock.bind((address[0], wanted, *address[2:]))
        except OSError as exc:
            if sockets and exc.errno == errno.EADDRNOTAVAIL:
                continue
            raise _cannot(host, wanted, exc) from exc
        sockets.append(sock)
    if not sockets:
        raise ConfigError(f'host "{host}" has no address that can be used')
    return sockets


def _listen_unix(path: Path, undo: contextlib.ExitStack) -> socket.socket:
    if len(bytes(path)) > PATH_BYTES_MAX:
        raise ConfigError(
            f"Unix socket path {path} is too long (at most {PATH_BYTES_MAX} bytes): "
            "set unix_socket_directory to a shorter one"
        )
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    undo.callback(sock.close)
    sock.setblocking(False)
    try:
        path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        _remove_stale(path)
        sock.bind(str(path))
        undo.callback(path.unlink, missing_ok=True)
        path.chmod(SOCKET_MODE)  # Before listen: until then no one can connect.
        sock.listen(BACKLOG)
    except OSError as exc:
        raise ConfigError(f"cannot listen on Unix socket {path}: {exc.strerror}") from exc
    return sock


def _remove_stale(path: Path) -> None:
    """Remove a socket that a dead server left; never one that answers, never another file."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"cannot listen on Unix socket {path}: it is another kind of file")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # Its backlog is full: someone listens.
    raise ConfigError(f"cannot listen on Unix socket {path}: another server uses it")


def _cannot(host: str, port: int, exc: OSError) -> ConfigError:
    return ConfigError(f"cannot listen on {host}:{port}: {exc.strerror}")


def peer_of(sock: socket.socket, address: object) -> Peer:
    """Who is at the other end of a socket just accepted, which is made ready for conversation."""
    if sock.family == socket.AF_UNIX:
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _, uid, _ = struct.unpack("3i", credentials)
        return Peer("unix", uid=uid)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Without it a peer that lost its power would be kept for ever.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert isinstance(address, tuple)
    return Peer("tcp", address=address[0], port=address[1])

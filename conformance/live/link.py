"""A link between clients and a server that can be cut at any byte and held up: a TCP proxy."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

PIECE: Final = 16 << 10
"""Bytes that are handed on at once: a cut falls inside of messages, since these are of any length."""

CONNECT_S: Final = 5.0


class Link:
    """Everything that connects to `port` is connected to where `server_port` says then.

    cuts: how many connections were cut. A server that is not there is a connection that ends at once.
    """

    def __init__(self, server_port: Callable[[], int]) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        self._flowing = threading.Event()
        self._flowing.set()
        self._held = threading.Event()
        self._holds = False
        self._lock = threading.Lock()
        self._open: set[_Connection] = set()
        self._left: int | None = None
        self._reset = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, after: int, *, reset: bool) -> None:
        """Cut what is connected, or is next, when so many more bytes came from the server.

        reset: RST instead of FIN, which throws away what the client has not read.
        """
        with self._lock:
            self._left, self._reset, self._holds = after, reset, False
            if after == 0 and self._open:
                self._cut_all()

    def hold(self, after: int) -> None:
        """Stall when so many more bytes came from the server, in the middle of a message or not."""
        with self._lock:
            self._left, self._holds = after, True

    @property
    def waits_to_cut(self) -> bool:
        """Whether the last cut, or hold, has not come to pass."""
        return self._left is not None

    def wait_held(self, within_s: float) -> bool:
        """Whether the last hold came to pass meanwhile."""
        return self._held.wait(within_s)

    def stall(self) -> None:
        """Hand nothing on until `flow`."""
        self._flowing.clear()

    def flow(self) -> None:
        """Hand on again, and forget a hold that did not come to pass."""
        with self._lock:
            if self._holds:
                self._left, self._holds = None, False
        self._held.clear()
        self._flowing.set()

    def mend(self) -> None:
        """Nothing befalls this link from now on."""
        with self._lock:
            self._left = None
        self.flow()

    def close(self) -> None:
        """End everything."""
        self.flow()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in tuple(self._open):
                connection.end(reset=False)

    def _accept(self) -> None:
        with suppress(OSError):  # Closed.
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port()), CONNECT_S)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(client, server)
        with self._lock:
            self._open.add(connection)
        upward = threading.Thread(
            target=self._pump, args=(connection, client, server, False), daemon=True
        )
        upward.start()
        self._pump(connection, server, client, True)
        upward.join()
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _pump(
        self,
        connection: "_Connection",
        source: socket.socket,
        target: socket.socket,
        is_down: bool,
    ) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                self._flowing.wait()
                allowed = self._allow(len(piece)) if is_down else len(piece)
                target.sendall(piece[:allowed])
                if allowed < len(piece):
                    with self._lock:
                        if not self._holds:
                            self._cut_all()
                            return
                        self._left, self._holds = None, False
                        self._flowing.clear()
                        self._held.set()
                    self._flowing.wait()
                    target.sendall(piece[allowed:])
        connection.end(reset=False)

    def _allow(self, size: int) -> int:
        """How many of the next bytes go through; not all of them at a cut or hold."""
        with self._lock:
            if self._left is None:
                return size
            if size <= self._left:
                self._left -= size
                return size
            return self._left

    def _cut_all(self) -> None:
        self._left = None
        self.cuts += 1
        for connection in self._open:
            connection.end(reset=self._reset)


class _Connection:
    """A client's socket and the server's. `end` wakes both pumps, `close` is for when they are gone."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._sockets = (client, server)

    def end(self, *, reset: bool) -> None:
        for one in self._sockets:
            with suppress(OSError):
                if reset:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for one in self._sockets:
            one.close()

"""Listening sockets: who may connect, what is in use, what is left behind."""

import os
import socket
import stat

import pytest

from kalam_pg.config import ConfigError
from kalam_pg.server.listeners import open_listeners


@pytest.fixture
def directory(tmp_path_factory):
    # pytest's own directories can be too long for a Unix socket.
    made = tmp_path_factory.mktemp("s") / "d"
    if len(bytes(made)) > 80:
        pytest.skip("the temporary directory's path is too long for a Unix socket")
    return made


def test_both_sockets_listen_and_only_the_owner_reaches_the_unix_one(directory):
    listeners = open_listeners("127.0.0.1", 0, directory)
    try:
        assert listeners.unix_path == directory / f".s.PGSQL.{listeners.port}"
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE(listeners.unix_path.stat().st_mode) == 0o600
        socket.create_connection(("127.0.0.1", listeners.port)).close()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(listeners.unix_path))
    finally:
        listeners.close()
    assert not listeners.unix_path.exists()


def test_a_port_in_use_is_one_line_and_leaves_nothing_behind(directory):
    listeners = open_listeners("127.0.0.1", 0, directory)
    try:
        with pytest.raises(ConfigError, match="Address already in use"):
            open_listeners("127.0.0.1", listeners.port, directory / "other")
        assert not (directory / "other").exists()
    finally:
        listeners.close()


def test_a_unix_socket_in_use_is_kept(directory):
    listeners = open_listeners("", 23456, directory)
    try:
        with pytest.raises(ConfigError, match="another server uses it"):
            open_listeners("", 23456, directory)
        assert listeners.unix_path.exists()
    finally:
        listeners.close()


def test_a_stale_unix_socket_is_replaced(directory):
    directory.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / ".s.PGSQL.23456"))
    listeners = open_listeners("", 23456, directory)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(listeners.unix_path))
    listeners.close()


def test_another_file_in_its_place_is_not_touched(directory):
    directory.mkdir()
    path = directory / ".s.PGSQL.23456"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="another kind of file"):
        open_listeners("", 23456, directory)
    assert path.read_text() == "mine"


def test_closing_leaves_a_successors_socket(directory):
    listeners = open_listeners("", 23456, directory)
    os.unlink(listeners.unix_path)  # noqa: PTH108
    with socket.socket(socket.AF_UNIX) as successor:
        placeholder = directory / "placeholder"  # Takes the freed inode, so the next one differs.
        placeholder.touch()
        successor.bind(str(listeners.unix_path))
        listeners.close()
        assert listeners.unix_path.exists()


def test_a_path_too_long_is_refused_by_name(directory):
    with pytest.raises(ConfigError, match="too long"):
        open_listeners("", 23456, directory / ("x" * 100))


def test_a_host_that_does_not_exist_is_refused_by_name(directory):
    with pytest.raises(ConfigError, match=r"no\.such\.host\.invalid"):
        open_listeners("no.such.host.invalid", 0, directory)

"""Settings: where they come from, what they take, and that a bad one is one clear line."""

from dataclasses import fields
from pathlib import Path

import pytest

from kalam_pg.config import Config, ConfigError, load


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "kalam.toml"
    file.write_text(text)
    return file


def test_without_anything_the_defaults_hold():
    config = load(environ={})
    assert config == Config()
    assert (config.host, config.port, config.tls) == ("127.0.0.1", 5433, "off")
    assert config.socket_directory == config.data_directory == Path("data")


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path):
    file = written(tmp_path, "port = 1\nhost = 'a'\nlog_level = 'debug'\n")
    environ = {"KALAM_PORT": "2", "KALAM_HOST": "b", "PATH": "/bin"}
    config = load(file, environ, {"port": "3", "host": None})
    assert (config.port, config.host, config.log_level) == (3, "b", "debug")


def test_the_environment_can_name_the_file(tmp_path):
    file = written(tmp_path, "port = 7\n")
    assert load(environ={"KALAM_CONFIG": str(file)}).port == 7


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("write_buffer_bytes = 1048576", "write_buffer_bytes", 2**20),
        ("write_buffer_bytes = '64MB'", "write_buffer_bytes", 2**26),
        ("query_memory_bytes = '1.5GB'", "query_memory_bytes", 3 * 2**29),
        ("statement_timeout_s = 1.5", "statement_timeout_s", 1.5),
        ("statement_timeout_s = '250ms'", "statement_timeout_s", 0.25),
        ("idle_session_timeout_s = '5min'", "idle_session_timeout_s", 300.0),
        ("synchronous_commit = false", "synchronous_commit", False),
        ("synchronous_commit = 'off'", "synchronous_commit", False),
        ("tls = true", "tls", "on"),
        ("tls = 'require'", "tls", "require"),
        ("tls_key = '/k.pem'", "tls_key", Path("/k.pem")),
        ("unix_socket_directory = ''", "unix_socket_directory", None),
        ("host = ''", "host", ""),
    ],
)
def test_values_are_taken_as_people_write_them(tmp_path, text, name, value):
    assert getattr(load(written(tmp_path, text), {}), name) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "prot: there is no such setting (did you mean port?)"),
        ("port = 'x'", "port: expected a whole number, got 'x'"),
        ("port = 1.5", "port: expected a whole number, got 1.5"),
        ("port = true", "port: expected a whole number, got True"),
        ("port = 65536", "port: outside 0 .. 65535, got 65536"),
        ("host = 1", "host: expected a string, got 1"),
        ("data_directory = ''", "data_directory: expected a path, got ''"),
        ("tls = 'maybe'", "tls: expected off, on or require, got 'maybe'"),
        ("synchronous_commit = 'maybe'", "synchronous_commit: expected on or off, got 'maybe'"),
        ("statement_timeout_s = '5 parsecs'", "statement_timeout_s: expected a number, or one"),
        ("statement_timeout_s = -1", "statement_timeout_s: outside 0.0 .. 31536000.0, got -1"),
        ("write_buffer_bytes = '1kB'", "write_buffer_bytes: expected a number, or one with a unit"),
        ("[server]\nport = 1", "server: there is no such setting"),
        ("port = ", "kalam.toml: "),
        ("port = 1\nport = 2", "kalam.toml: "),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it(tmp_path, text, message):
    with pytest.raises(ConfigError) as raised:
        load(written(tmp_path, text), {})
    assert message in raised.value.message
    assert "\n" not in raised.value.message


def test_a_bad_setting_says_where_it_was(tmp_path):
    with pytest.raises(ConfigError, match="KALAM_PORT: expected"):
        load(environ={"KALAM_PORT": "x"})
    with pytest.raises(ConfigError, match="KALAM_PROT: there is no such setting"):
        load(environ={"KALAM_PROT": "1"})
    with pytest.raises(ConfigError, match="--port: expected"):
        load(environ={}, flags={"port": "x"})
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "missing.toml", {})


def test_every_setting_says_what_it_does_and_in_which_unit():
    for setting in fields(Config):
        assert setting.metadata["doc"].endswith("."), setting.name
        assert setting.metadata["unit"], setting.name
        for ending, unit in (("_s", "seconds"), ("_bytes", "bytes")):
            if setting.name.endswith(ending):
                assert setting.metadata["unit"] == unit, setting.name


def test_every_default_is_a_value_that_could_be_given():
    for setting in fields(Config):
        if setting.default is not None:
            assert setting.metadata["parse"](setting.default) == setting.default, setting.name

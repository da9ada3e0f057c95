"""Settings: values and units as PostgreSQL reads and prints them, and the undo of transactions."""

import pytest

from catalog.errors import (
    CantChangeRuntimeParamError,
    FeatureNotSupportedError,
    InsufficientPrivilegeError,
    InvalidParameterValueError,
    UndefinedObjectError,
)
from kalam_pg.sessions.settings import Settings, split_names

SHOWN = [  # what is SET, what SHOW prints; PostgreSQL 15 prints the same
    ("statement_timeout", "1500", "1500ms"),
    ("statement_timeout", "5s", "5s"),
    ("statement_timeout", "90s", "90s"),
    ("statement_timeout", "2min", "2min"),
    ("statement_timeout", "120000", "2min"),
    ("statement_timeout", "0", "0"),
    ("lock_timeout", "1h", "1h"),
    ("work_mem", "64MB", "64MB"),
    ("work_mem", "1000", "1000kB"),
    ("jit", "true", "on"),
    ("jit", "NO", "off"),
    ("TimeZone", "europe/berlin", "Europe/Berlin"),
    ("TimeZone", "utc", "UTC"),
    ("TimeZone", "-3", "<-03>+03"),
    ("DateStyle", "dmy", "ISO, DMY"),
    ("client_encoding", "utf-8", "UTF8"),
    ("client_encoding", "iso-8859-15", "LATIN9"),
    ("synchronous_commit", "false", "off"),
    ("my.own", "anything", "anything"),
    ("DateStyle", "German", "German, DMY"),
    ("DateStyle", "postgres, ymd", "Postgres, YMD"),
    ("TimeZone", "+02:00", "+02:00"),
    ("TimeZone", "FOO5", "FOO5"),
    ("TimeZone", "EST5EDT,M3.2.0,M11.1.0", "EST5EDT,M3.2.0,M11.1.0"),
    ("IntervalStyle", "ISO_8601", "iso_8601"),
    ("work_mem", "1.5GB", "1536MB"),
    ("min_parallel_table_scan_size", "10", "80kB"),
    ("vacuum_cost_delay", "1500us", "1500us"),
    ("enable_hashjoin", "f", "off"),
    ("random_page_cost", "1.10", "1.1"),
    ("plan_cache_mode", "force_generic_plan", "force_generic_plan"),
]


@pytest.mark.parametrize(("name", "value", "shown"), SHOWN)
def test_a_value_is_shown_as_postgresql_shows_it(name, value, shown):
    settings = Settings()
    settings.set(name, value)
    assert settings.show(name)[1] == shown


REFUSED = [
    ("nosuch", "1", UndefinedObjectError),
    ("jit", "maybe", InvalidParameterValueError),
    ("statement_timeout", "-1", InvalidParameterValueError),
    ("statement_timeout", "soon", InvalidParameterValueError),
    ("extra_float_digits", "4", InvalidParameterValueError),
    ("TimeZone", "Nowhere/Land", InvalidParameterValueError),
    ("default_transaction_isolation", "chaos", InvalidParameterValueError),
    ("server_version", "16", CantChangeRuntimeParamError),
    ("client_encoding", "nonsense", InvalidParameterValueError),
    ("client_encoding", "MULE_INTERNAL", FeatureNotSupportedError),
    ("standard_conforming_strings", "off", FeatureNotSupportedError),
    ("DateStyle", "SQL, ISO", InvalidParameterValueError),
    ("log_statement", "all", InsufficientPrivilegeError),
    ("shared_buffers", "1GB", CantChangeRuntimeParamError),
    ("work_mem", "64mb", InvalidParameterValueError),
    ("work_mem", "10", InvalidParameterValueError),
    ("random_page_cost", "-1", InvalidParameterValueError),
    ("transform_null_equals", "on", FeatureNotSupportedError),
    ("TimeZone", "200", InvalidParameterValueError),
    ("TimeZone", "EST5EDT,M33", InvalidParameterValueError),
    ("DateStyle", "nonsense", InvalidParameterValueError),
]


@pytest.mark.parametrize(("name", "value", "error"), REFUSED)
def test_a_value_that_cannot_be_kept_is_refused_and_changes_nothing(name, value, error):
    settings = Settings()
    before = settings.get(name)
    with pytest.raises(error):
        settings.set(name, value)
    assert settings.get(name) == before


def test_rollback_takes_back_what_the_transaction_set():
    settings = Settings()
    settings.set("jit", "on")
    settings.commit()
    settings.set("jit", "off")
    settings.set("my.own", "x")
    settings.rollback()
    assert settings.get("jit") == "on"
    assert settings.get("my.own") is None


def test_set_local_ends_with_the_transaction_even_if_it_commits():
    settings = Settings()
    settings.set("lock_timeout", "1s")
    settings.commit()
    settings.set("lock_timeout", "2s", local=True)
    settings.set("lock_timeout", "3s", local=True)
    assert settings.get("lock_timeout") == "3s"
    settings.commit()
    assert settings.get("lock_timeout") == "1s"


def test_a_set_after_a_set_local_stays():
    settings = Settings()
    settings.set("lock_timeout", "2s", local=True)
    settings.set("lock_timeout", "3s")
    settings.commit()
    assert settings.get("lock_timeout") == "3s"


def test_reset_returns_to_what_the_session_began_with():
    settings = Settings({"timezone": "Asia/Tokyo"})
    settings.start_with("application_name", "app")
    settings.set("timezone", "UTC")
    settings.set("application_name", "other")
    settings.set("timezone", None)
    settings.reset_all()
    assert settings.get("timezone") == "Asia/Tokyo"
    assert settings.get("application_name") == "app"


def test_reported_settings_are_noted_when_they_change_and_only_then():
    settings = Settings()
    settings.changed.clear()
    settings.set("application_name", "x")
    settings.set("jit", "on")
    settings.set("application_name", "x")
    assert settings.changed == {"application_name"}


def test_the_search_path_is_a_list_of_names():
    assert split_names('"$user", public, "Mixed ""Case"""') == ["$user", "public", 'Mixed "Case"']
    settings = Settings()
    settings.set("search_path", 'app, "Odd"')
    assert settings.search_path == ("app", "Odd")

"""`xmin` as a version of a row: optimistic changes by two sessions, over every tier and after a restart."""

import psycopg
import pytest

from tests.wire.server import KalamServer

CHANGE = "UPDATE public.pages SET body = %s WHERE id = %s AND xmin = %s RETURNING xmin"


@pytest.fixture
def root(server):
    with server.root() as connection:
        connection.execute("DROP TABLE IF EXISTS public.pages")
        connection.execute(
            "CREATE TABLE public.pages (id int PRIMARY KEY, body text, price numeric, at timestamptz,"
            " tags text[], data jsonb) WITH (TYPE = 'SHARED')"
        )
        connection.execute(
            "INSERT INTO public.pages VALUES"
            " (1, 'one', 1.50, '2026-01-01 10:00+02', '{a,NULL}', '{\"a\": 1}'), "
            " (2, NULL, NULL, NULL, NULL, NULL), (3, 'three', 'NaN', 'infinity', '{}', 'null')"
        )
        yield connection


def versions(connection):
    return connection.execute("SELECT id, xmin::text FROM public.pages ORDER BY id").fetchall()


def test_a_change_is_made_of_the_version_that_was_read_or_not_at_all(server, root):
    with server.root() as other:
        ((seen,),) = root.execute("SELECT xmin FROM public.pages WHERE id = 1").fetchall()
        ((theirs,),) = other.execute(CHANGE, ("theirs", 1, seen)).fetchall()
        assert root.execute(CHANGE, ("mine", 1, seen)).rowcount == 0
        assert root.execute(CHANGE, ("mine", 1, theirs)).rowcount == 1
    assert root.execute("SELECT body FROM public.pages WHERE id = 1").fetchall() == [("mine",)]


def test_what_is_returned_is_what_is_read_later(root):
    returned = root.execute(
        "INSERT INTO public.pages VALUES (4, 'four', 1e-3, now(), '{{x,y},{z,w}}', '[1.0]')"
        " RETURNING id, xmin::text"
    ).fetchall()
    assert returned == versions(root)[3:]
    root.execute("BEGIN")
    within = root.execute(
        "UPDATE public.pages SET price = price + 1 RETURNING id, xmin::text"
    ).fetchall()
    assert sorted(within) == versions(root)
    root.execute("COMMIT")
    assert sorted(within) == versions(root)


def test_it_is_the_same_in_every_tier_and_session(root, server):
    before = versions(root)
    assert len({version for _, version in before}) == 3
    with server.root() as other:
        other.execute(
            "SET TIME ZONE 'Asia/Tokyo'; SET DateStyle = 'SQL, DMY'; SET bytea_output = escape"
        )
        assert versions(other) == before
        other.execute("STORAGE FLUSH TABLE public.pages")
        assert versions(other) == before
        other.execute("SET kalam.in_process_queries = off")
        assert versions(other) == before


def test_outer_joins_ambiguity_and_what_has_none(root):
    made_up = "SELECT p.xmin IS NULL FROM (VALUES (9)) v(n) LEFT JOIN public.pages p ON p.id = n"
    assert root.execute(made_up).fetchall() == [(True,)]
    with pytest.raises(psycopg.errors.AmbiguousColumn):
        root.execute("SELECT xmin FROM public.pages a, public.pages b")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        root.execute("SELECT xmin FROM (SELECT id FROM public.pages) p")
    (column,) = root.execute("SELECT xmin FROM public.pages LIMIT 0").description
    assert (column.name, column.type_code) == ("xmin", 28)


def test_it_outlives_a_restart(tmp_path):
    server = KalamServer(tmp_path / "data").start()
    try:
        with server.root() as root:
            root.execute(
                "CREATE TABLE public.kept (id int PRIMARY KEY, x float8) WITH (TYPE = 'SHARED')"
            )
            root.execute("INSERT INTO public.kept VALUES (1, 'NaN'), (2, 0.1)")
            before = root.execute("SELECT id, xmin::text FROM public.kept ORDER BY id").fetchall()
        server.kill()
        server.start()
        with server.root() as root:
            assert (
                root.execute("SELECT id, xmin::text FROM public.kept ORDER BY id").fetchall()
                == before
            )
    finally:
        server.stop()

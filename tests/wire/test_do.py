"""DO: blocks of statements and what they trap, beside PostgreSQL 15."""

import threading

import psycopg
import pytest

from tests.wire.side_by_side import both, differences

pytestmark = pytest.mark.slow

SCRIPT = r"""
CREATE TABLE t (id int PRIMARY KEY, n int)
DO $$ BEGIN CREATE TYPE mood AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN null; END $$
DO 'BEGIN CREATE TYPE mood AS ENUM (''a''); EXCEPTION WHEN duplicate_object THEN null; END'
DO $$ BEGIN CREATE TYPE mood AS ENUM ('a'); END $$
DO LANGUAGE plpgsql $$ BEGIN NULL; END; $$
DO $$ BEGIN NULL; END $$ LANGUAGE nosuch
DO $$ BEGIN INSERT INTO t VALUES (1, 1); INSERT INTO t VALUES (1, 2); EXCEPTION WHEN unique_violation THEN INSERT INTO t VALUES (7, 7); END $$
DO $$ BEGIN INSERT INTO t VALUES (8, 1); BEGIN INSERT INTO t VALUES (9, 1); PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN RAISE NOTICE '% %', SQLERRM, SQLSTATE; END; END $$
SELECT * FROM t ORDER BY 1
DO $$ BEGIN INSERT INTO t VALUES (20, 1); PERFORM 1/0; EXCEPTION WHEN unique_violation OR undefined_table THEN NULL; END $$
SELECT count(*) FROM t
DO $$ BEGIN RAISE NOTICE 'hello % and %%', 1+1; RAISE WARNING 'w'; RAISE INFO 'i'; RAISE LOG 'l'; RAISE DEBUG 'd'; END $$
DO $$ BEGIN RAISE EXCEPTION 'no good: %', NULL::int; END $$
DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'unique_violation', DETAIL = 'd', HINT = 'h'; END $$
DO $$ BEGIN RAISE division_by_zero; END $$
DO $$ BEGIN RAISE SQLSTATE '22012' USING MESSAGE = 'mine'; END $$
DO $$ BEGIN RAISE; END $$
DO $$ BEGIN PERFORM 1/0; EXCEPTION WHEN OTHERS THEN RAISE; END $$
DO $$ BEGIN RAISE NOTICE '% %', 1; END $$
DO $$ BEGIN RAISE NOTICE 'x', 1; END $$
DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'mood2') THEN CREATE TYPE mood2 AS ENUM ('x'); END IF; END $$
DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'mood2') THEN NULL; ELSIF 1 = 1 THEN RAISE NOTICE 'there'; ELSE RAISE NOTICE 'else'; END IF; END $$
DO $$ BEGIN IF NULL THEN RAISE NOTICE 'a'; ELSE RAISE NOTICE 'b'; END IF; END $$
DO $$ BEGIN EXECUTE 'INSERT INTO t VALUES (' || 30 || ', 1)'; EXECUTE format('ALTER TABLE %I ADD COLUMN %I text', 't', 'Extra Col'); END $$
SELECT * FROM t WHERE id = 30
DO $$ BEGIN EXECUTE NULL; END $$
DO $$ BEGIN EXECUTE ''; END $$
DO $$ BEGIN PERFORM 1/0; EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLERRM || '!' || length(SQLSTATE); END $$
DO $$ BEGIN PERFORM 1/0; EXCEPTION WHEN OTHERS THEN IF SQLSTATE = '22012' THEN RAISE NOTICE 'that one'; ELSE RAISE; END IF; END $$
DO $$ BEGIN PERFORM 1/0; EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION USING MESSAGE = 'x: ' || SQLERRM, ERRCODE = SQLSTATE; END $$
DO $$ BEGIN RAISE EXCEPTION E'it''s a \\ "name"'; EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', upper(SQLERRM); END $$
CREATE TABLE told (id int PRIMARY KEY, what text, code text, found boolean)
DO $$ BEGIN PERFORM 1/0; EXCEPTION WHEN OTHERS THEN INSERT INTO told (id, what, code) VALUES (1, sqlerrm, SQLSTATE); END $$
SELECT * FROM told
DO $$ BEGIN PERFORM 1/0; EXCEPTION WHEN OTHERS THEN UPDATE told SET what = 'was ' || told.what || ', is ' || sqlerrm, code = sqlstate || code WHERE id = 1 AND code = SQLSTATE; END $$
SELECT * FROM told
DO $$ BEGIN IF FOUND THEN RAISE NOTICE 'early'; END IF; PERFORM 1; IF FOUND THEN RAISE NOTICE 'one'; END IF; PERFORM 1 WHERE false; IF NOT FOUND THEN RAISE NOTICE 'none'; END IF; END $$
DO $$ BEGIN UPDATE told SET what = 'x' WHERE id = 9; RAISE NOTICE '%', FOUND; UPDATE told SET what = 'x' WHERE id = 1; RAISE NOTICE '%', found; EXECUTE 'SELECT 1 WHERE false'; RAISE NOTICE '%', found; CREATE TABLE told2 (id int PRIMARY KEY); RAISE NOTICE '%', found; INSERT INTO told2 SELECT 1 WHERE false; RAISE NOTICE '%', found; INSERT INTO told2 SELECT g FROM generate_series(1, 3) g; RAISE NOTICE '%', found; DELETE FROM told2 WHERE id > 5; RAISE NOTICE '%', found; PERFORM id FROM told2; RAISE NOTICE '%', found; END $$
DO $$ BEGIN UPDATE told SET found = true WHERE told.id = 1; END $$
SELECT * FROM told
DO $$ BEGIN EXECUTE 'SELECT SQLERRM'; END $$
DO $$ BEGIN PERFORM 1/0; EXCEPTION WHEN OTHERS THEN EXECUTE 'SELECT ' || quote_literal(SQLERRM); RAISE NOTICE '%', told.x FROM told; END $$
DO $$ BEGIN RAISE NOTICE '%', sqlerrm; END $$
DO $$ BEGIN RAISE NOTICE '%', nosuch; END $$
DO $$ BEGIN IF 1 THEN RAISE NOTICE 'one'; END IF; IF 'yes' THEN RAISE NOTICE 'yes'; END IF; IF 'off'::text THEN NULL; ELSE RAISE NOTICE 'off'; END IF; IF NULL::int THEN NULL; ELSE RAISE NOTICE 'null'; END IF; END $$
DO $$ BEGIN IF 'abc' THEN NULL; END IF; END $$
DO $$ BEGIN IF 2 THEN NULL; END IF; END $$
DO $$ BEGIN SELECT 1; END $$
DO $$ BEGIN INSERT INTO t VALUES (31, 1) RETURNING id; END $$
DO $$ BEGIN PERFORM id FROM t WHERE id > 3; UPDATE t SET n = n + 1; DELETE FROM t WHERE id = 30; END $$
DO $$ BEGIN INSERT INTO nosuch VALUES (1); EXCEPTION WHEN nosuchcondition THEN NULL; END $$
DO $$ BEGIN INSERT INTO nosuch VALUES (1); EXCEPTION WHEN SQLSTATE '42P01' THEN RAISE NOTICE 'table'; END $$
DO $$ BEGIN INSERT INTO t VALUES (7); EXCEPTION WHEN integrity_constraint_violation THEN RAISE NOTICE 'class'; END $$
BEGIN
DO $$ BEGIN INSERT INTO t VALUES (40, 1); END $$
DO $$ BEGIN INSERT INTO t VALUES (7); EXCEPTION WHEN OTHERS THEN NULL; END $$
SAVEPOINT s
DO $$ BEGIN INSERT INTO t VALUES (41, 1); RAISE EXCEPTION 'out'; END $$
DO $$ BEGIN NULL; END $$
ROLLBACK TO s
COMMIT
SELECT id FROM t ORDER BY 1
DO $$ BEGIN SET LOCAL work_mem = '1MB'; BEGIN SET work_mem = '2MB'; PERFORM 1/0; EXCEPTION WHEN OTHERS THEN NULL; END; RAISE NOTICE '%', current_setting('work_mem'); END $$
DO ''
DO $$ BEGIN END $$
DO $$ BEGIN NULL; $$
DO $$ BEGIN BEGIN BEGIN INSERT INTO t VALUES (50, 1); PERFORM 1/0; EXCEPTION WHEN unique_violation THEN NULL; END; EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'outer'; END; END $$
SELECT count(*) FROM t WHERE id = 50
/* a */ DO /* b */ $x$ begin /* d */ null; /* ; */ end $x$
"""  # noqa: E501 -- a statement a line

REFUSED = [
    ("DECLARE x int; BEGIN NULL; END", "DECLARE"),
    ("BEGIN FOR i IN 1..3 LOOP NULL; END LOOP; END", "FOR"),
    ("BEGIN WHILE true LOOP NULL; END LOOP; END", "WHILE"),
    ("BEGIN x := 1; END", "a variable"),
    ("BEGIN SELECT 1 INTO x; END", "INTO a variable"),
    ("BEGIN INSERT INTO t VALUES (1) RETURNING id INTO x; END", "INTO a variable"),
    ("BEGIN EXECUTE 'SELECT 1' INTO x; END", "EXECUTE … INTO"),
    ("BEGIN GET DIAGNOSTICS x = ROW_COUNT; END", "GET DIAGNOSTICS"),
    ("BEGIN COMMIT; END", "COMMIT"),
    ("BEGIN RETURN; END", "RETURN"),
    ("BEGIN PREPARE p AS SELECT 1; END", "PREPARE"),
    ("BEGIN COPY t FROM STDIN; END", "COPY FROM"),
    ("BEGIN DISCARD ALL; END", "DISCARD"),
]


def test_blocks_are_run_as_by_postgresql(tmp_path):
    with both(tmp_path) as sides:
        assert differences(sides, SCRIPT) == []


@pytest.mark.parametrize(("block", "what"), REFUSED)
def test_what_needs_more_is_refused_by_name_before_anything_runs(server, block, what):
    with server.root() as root:
        root.execute("CREATE TABLE IF NOT EXISTS untouched (id int PRIMARY KEY)")
        body = block.replace("BEGIN ", "BEGIN INSERT INTO untouched VALUES (1); ", 1)
        with pytest.raises(psycopg.errors.FeatureNotSupported, match=what):
            root.execute(f"DO $$ {body} $$")
        assert root.execute("SELECT count(*) FROM untouched").fetchall() == [(0,)]


def test_blocks_too_deep_are_refused(server):
    deep = "BEGIN " * 60 + "NULL; " + "END; " * 60
    with server.root() as root, pytest.raises(psycopg.errors.StatementTooComplex):
        root.execute(f"DO $$ {deep} $$")


def test_what_was_locked_in_an_undone_block_is_free(server):
    with server.root() as one, server.root() as two:
        one.execute("CREATE TABLE held (id int PRIMARY KEY, n int)")
        one.execute("INSERT INTO held VALUES (1, 1), (2, 2)")
        one.execute("BEGIN")
        one.execute(
            "DO $$ BEGIN UPDATE held SET n = 5 WHERE id = 1; PERFORM 1/0; "
            "EXCEPTION WHEN OTHERS THEN UPDATE held SET n = 6 WHERE id = 2; END $$"
        )
        two.execute("SET lock_timeout = '2s'")
        two.execute("UPDATE held SET n = 7 WHERE id = 1")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            two.execute("SET lock_timeout = '50ms'; UPDATE held SET n = 7 WHERE id = 2")
        one.execute("COMMIT")
        assert one.execute("SELECT n FROM held ORDER BY id").fetchall() == [(7,), (6,)]


def test_a_cancelled_block_is_undone_whatever_it_traps(server):
    with server.root() as one, server.root() as two:
        one.execute("CREATE TABLE cancelled (id int PRIMARY KEY)")
        block = (
            "DO $$ BEGIN INSERT INTO cancelled VALUES (1); PERFORM pg_sleep(60); "
            "EXCEPTION WHEN OTHERS THEN NULL; END $$"
        )
        pid = one.info.backend_pid
        told = []

        def run():
            try:
                one.execute(block)
            except psycopg.Error as exc:
                told.append(exc.sqlstate)

        thread = threading.Thread(target=run)
        thread.start()
        asleep = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
        while two.execute(asleep, (pid,)).fetchone() != (1,):
            two.execute("SELECT pg_sleep(0.01)")
        two.execute("SELECT pg_cancel_backend(%s)", (pid,))
        thread.join()
        assert told == ["57014"]
        assert two.execute("SELECT count(*) FROM cancelled").fetchall() == [(0,)]

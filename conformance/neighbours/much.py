"""Statements that are heavy by how much there is of something: levels, names, statements, patterns, formats.

Views on views, MERGE, blocks, what a session may have any number of, patterns and paths that explode, large texts
in the client's encoding, and what tools ask of the catalogue.
"""

# ruff: noqa: E501 -- one statement a line; these are sent as they are

from typing import Final

VIEWS: Final = 30
"""Views on views: each computes something of the one before."""

SETUP: Final = (
    "CREATE VIEW kin.plain0 AS SELECT id, v, n FROM kin.hot",
    *(
        f"CREATE VIEW kin.plain{i} AS SELECT id, v || '{i}' v, n + {i} n FROM kin.plain{i - 1} WHERE n > -{i}"
        for i in range(1, VIEWS + 1)
    ),
    "CREATE VIEW kin.case0 AS SELECT id, v FROM kin.hot",
    *(
        f"CREATE VIEW kin.case{i} AS SELECT id, CASE WHEN v = 'a{i}' THEN v ELSE v || '{i}' END v FROM kin.case{i - 1}"
        for i in range(1, 13)
    ),
)
"""By root, after the tables of `statements` and `definitions`."""

_OBJECT = "('{' || (SELECT string_agg('\"k' || g || '\":' || g, ',') FROM generate_series(1, 200000) g) || '}')::jsonb"
_TABLES = (
    "SELECT n.nspname, c.relname, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE c.relkind::text END,"
    " obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 3, 1, 2"
)
_COLUMNS = (
    "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),"
    " row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2, a.attnum"
)

STATEMENTS: Final = {
    "views on views": f"SELECT id, v, n FROM kin.plain{VIEWS} WHERE id < 5",
    "views on views, all": f"SELECT count(*), max(v) FROM kin.plain{VIEWS}",
    "views joined": " ".join(["SELECT count(*) FROM kin.plain9 a0", *(f"JOIN kin.plain9 a{i} USING (id)" for i in range(1, 6))]),
    "views that double": "SELECT id, v FROM kin.case12 WHERE id < 5",
    "a view of a long text": "CREATE TEMP VIEW long AS SELECT " + ", ".join(f"'{i:05d}' || '{'x' * 500}' AS c{i}" for i in range(1500)) + "; SELECT * FROM long; DROP VIEW long",
    "a view of a long constant": "CREATE TEMP VIEW large AS SELECT '" + "x" * 900_000 + "' AS v; SELECT length(v) FROM large; DROP VIEW large",
    "merge of many": "BEGIN; MERGE INTO kin.only t USING (SELECT g, 'm' || g w FROM generate_series(1, 100000) g) s ON t.id = s.g WHEN MATCHED THEN UPDATE SET n = 1 WHEN NOT MATCHED THEN INSERT VALUES (s.g, s.w, 1); ROLLBACK",
    "merge that deletes": "BEGIN; MERGE INTO kin.hot t USING (SELECT g FROM generate_series(1, 20000) g) s ON t.id = s.g WHEN MATCHED AND t.n > 5 THEN DELETE WHEN MATCHED THEN DO NOTHING; ROLLBACK",
    "a block of many": "DO $$ BEGIN " + "PERFORM 1; " * 20_000 + "END $$",
    "a block of inserts": "BEGIN; DO $$ BEGIN " + "".join(f"INSERT INTO kin.own VALUES ({i}, 'b'); " for i in range(400_000, 410_000)) + "END $$; ROLLBACK",
    "many channels": ";".join(f"LISTEN c{i}" for i in range(20_000)) + "; UNLISTEN *",
    "many prepared": ";".join(f"PREPARE q{i} AS SELECT id FROM kin.own WHERE id = $1 + {i}" for i in range(10_000)) + "; DEALLOCATE ALL",
    "many cursors": "BEGIN;" + ";".join(f"DECLARE c{i} CURSOR FOR SELECT id FROM kin.own" for i in range(3000)) + "; ROLLBACK",
    "many held cursors": ";".join(f"DECLARE h{i} CURSOR WITH HOLD FOR SELECT {i}" for i in range(1500)) + "; CLOSE ALL",
    "many savepoints": "BEGIN;" + ";".join(f"SAVEPOINT s{i}" for i in range(20_000)) + "; ROLLBACK TO s1; ROLLBACK",
    "many temporary tables": "BEGIN;" + ";".join(f"CREATE TEMP TABLE t{i} (a INT)" for i in range(400)) + "; ROLLBACK",
    "a large object": f"SELECT length(({_OBJECT})::text)",
    "a large object taken apart": f"SELECT count(*), sum(value::int) FROM jsonb_each_text({_OBJECT})",
    "a large object put together": f"SELECT length(({_OBJECT} || {_OBJECT} - 'k7')::text)",
    "a large object contains": f"SELECT {_OBJECT} @> {_OBJECT}",
    "a large array contains": "SELECT ('[' || repeat('1,', 300000) || '2]')::jsonb @> ('[' || repeat('1,', 300000) || '2]')::jsonb",
    "a deep path": "SELECT '{}'::jsonb @? ('$' || repeat('.a', 100000))::jsonpath",
    "a nested path": "SELECT '{}'::jsonb @? ('$ ? (' || repeat('(', 5000) || '@ > 1' || repeat(')', 5000) || ')')::jsonpath",
    "a path everywhere": "SELECT count(*) FROM jsonb_path_query((repeat('{\"a\":', 900) || '1' || repeat('}', 900))::jsonb, '$.**.**.a')",
    "a path of sums": "SELECT '1'::jsonb @? ('$ + ' || repeat('1 + ', 50000) || '1')::jsonpath",
    "a repeated group": "SELECT 'aaaa' ~ '((a{1,100}){1,100}){1,100}'",
    "a nested star": "SELECT repeat('a', 3000) ~ '^(((((a*)*)*)*)*)*b'",
    "a back reference": "SELECT repeat('ab', 2000) ~ '^(.*)(.*)(.*)\\1\\2\\3x$'",
    "a long alternation": "SELECT 'x' ~ '" + "|".join(f"a{i}b*" for i in range(20_000)) + "'",
    "a long class": "SELECT 'x' ~ ('[' || (SELECT string_agg(chr(g), '') FROM generate_series(1000, 30000) g) || ']+$')",
    "a pattern of each row": "SELECT count(*) FROM kin.hot WHERE v ~ ('^' || v || '(a|b|' || id || ')*$')",
    "a pattern that replaces": "SELECT length(regexp_replace(repeat('ab', 300000), '(a|b)(?=b|a)', '\\1\\1\\1', 'g'))",
    "a LIKE of each row": "SELECT count(*) FROM kin.hot a, kin.own b WHERE repeat(a.v, 100) LIKE '%' || a.id || '%_%' || b.v || '%'",
    "a long LIKE": "SELECT repeat('ab', 2000000) LIKE repeat('%b_', 3000) || 'x'",
    "a long format": "SELECT length(to_char(now(), repeat('FMDay, DD \"of\" FMMonth YYYY HH24:MI:SS.US ', 25000)))",
    "a long picture": "SELECT length(to_char(g, repeat('9G', 30) || '999D99')) FROM generate_series(1, 30000) g",
    "a long text in LATIN1": "SET client_encoding = LATIN1; SELECT repeat('äö', 12000000); RESET client_encoding",
    "a long text in SJIS": "SET client_encoding = SJIS; SELECT repeat('表a', 8000000); RESET client_encoding",
    "a long text that cannot be": "SET client_encoding = LATIN1; SELECT repeat('a', 50000000) || '表'; RESET client_encoding",
    "copy in GB18030": "SET client_encoding = GB18030; COPY (SELECT repeat('表a', 300000) FROM generate_series(1, 12)) TO STDOUT; RESET client_encoding",
    "tables of a tool": _TABLES,
    "columns of a tool": _COLUMNS,
    "a tool's columns with keys": f"SELECT * FROM ({_COLUMNS}) c LEFT JOIN pg_index i ON i.indrelid::regclass::text = c.nspname || '.' || c.relname ORDER BY 1, 2",
    "definitions of a dump": "SELECT c.oid, pg_get_viewdef(c.oid), pg_get_userbyid(c.relowner), c.relacl, (SELECT array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid) FROM pg_class c WHERE c.relkind IN ('v', 'r')",
    "routines of a dump": "SELECT p.oid, p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), pg_get_function_identity_arguments(p.oid) FROM pg_proc p ORDER BY 2",
    "depends of a dump": "SELECT classid, objid, refobjid FROM pg_depend UNION ALL SELECT 'pg_attribute'::regclass, attrelid, atttypid FROM pg_attribute ORDER BY 1, 2",
    "a constant of a condition": "SELECT count(*) FROM pg_type WHERE typname <> (2.5 ^ 9000.5)::text",
    "a constant of each row": "SELECT sum(length(v || (2.5 ^ 6000.5)::text)) FROM kin.hot",
}  # fmt: skip

"""pg_proc, pg_operator and their kin, reg types and has_…_privilege, beside PostgreSQL 15."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.wire.side_by_side import Side, both, differences

pytestmark = pytest.mark.slow

ROWS = {
    "pg_aggregate": """
        SELECT aggfnoid::oid, aggkind, aggnumdirectargs, aggtransfn, aggfinalfn, aggsortop, aggtranstype,
               agginitval
        FROM pg_aggregate""",
    "pg_amop": "SELECT * FROM pg_amop WHERE amopmethod IN (403, 405)",
    "pg_amproc": "SELECT * FROM pg_amproc",
    "pg_cast": "SELECT * FROM pg_cast",
    "pg_opclass": "SELECT * FROM pg_opclass WHERE opcmethod IN (403, 405)",
    "pg_operator": """
        SELECT oid, oid::regoperator, oprkind, oprcanmerge, oprcanhash, oprresult, oprcom, oprnegate, oprcode
        FROM pg_operator""",
    "pg_proc": """
        SELECT oid, oid::regprocedure, oid::regproc, prokind, provolatile, pronargs, proretset,
               pg_get_function_arguments(oid), pg_get_function_identity_arguments(oid),
               pg_get_function_result(oid), pg_get_function_arg_default(oid, pronargs),
               CASE WHEN prolang = 12 AND prokind <> 'a' THEN pg_get_functiondef(oid) END
        FROM pg_proc WHERE prolang IN (12, 14) AND pronamespace = 11""",
    "pg_type": "SELECT oid, typname, typinput, typoutput, typreceive, typsend FROM pg_type WHERE oid < 12000",
}
FEWEST = {"pg_aggregate": 140, "pg_amop": 300, "pg_cast": 180, "pg_operator": 600, "pg_proc": 2600}
"""So many rows there are at least: the types that exist here are most of PostgreSQL's."""


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("functions")) as found:
        yield found


@pytest.mark.parametrize("relation", ROWS)
def test_rows_are_postgresqls(sides: tuple[Side, Side], relation: str) -> None:
    ours, theirs = ({row[0]: row for row in side.ask(ROWS[relation])[2]} for side in sides)
    assert len(ours) >= FEWEST.get(relation, 60)
    assert [(row, theirs.get(key)) for key, row in ours.items() if row != theirs.get(key)] == []


NAMES = """
SELECT 'lower'::text::regproc
SELECT 'now'::regproc, 'now'::regproc::oid, 'pg_catalog.now'::regproc
SELECT 'nosuch.now'::text::regproc
SELECT 'public.now'::text::regproc
SELECT 'nosuch'::text::regproc
SELECT 'lower(text)'::regprocedure, 'pg_catalog.lower(text)'::regprocedure::oid
SELECT 'lower(int)'::text::regprocedure
SELECT 'lower(nosuch)'::text::regprocedure
SELECT 'lower'::text::regprocedure
SELECT 'lower(text'::text::regprocedure
SELECT 'now()'::regprocedure, 'count("any")'::regprocedure, 'substring(text,int,int)'::regprocedure
SELECT '+(int,int)'::regoperator, '-(none,int)'::regoperator, 'pg_catalog.||(text,text)'::regoperator::oid
SELECT '+'::text::regoper
SELECT '@@@@@'::text::regoper
SELECT '+(int,bool)'::text::regoperator
SELECT '||/'::text::regoper
SELECT to_regproc('lower'), to_regproc('now'), to_regproc('nosuch'), to_regprocedure('abs(int4)')
SELECT to_regoper('+'), to_regoperator('+(int,int)'), to_regoperator('+(int,bool)')
SELECT 2100::regproc, 1::regproc, 0::regproc, 870::regprocedure, 551::regoper, 551::regoperator
SELECT pg_function_is_visible(870), pg_function_is_visible(1), pg_operator_is_visible(551)
SELECT pg_get_functiondef(2100)
SELECT pg_get_functiondef(1), pg_get_function_arguments(1), pg_get_function_result(NULL)
SELECT p.proname, t.typname FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype WHERE p.oid = 870
SELECT proname, count(*) FROM pg_proc WHERE proname IN ('abs', 'now', 'lower') GROUP BY 1 ORDER BY 1
SELECT oprname, oprleft::regtype, oprright::regtype, oprcode FROM pg_operator WHERE oid = 551
SELECT castcontext, castfunc::regprocedure FROM pg_cast WHERE castsource = 20 AND casttarget = 23
SELECT opcname FROM pg_opclass WHERE opcintype = 'text'::regtype AND opcmethod = 403 ORDER BY 1
"""

PRIVILEGES = """
CREATE ROLE u1
CREATE TABLE sh (a int, b int)
CREATE SEQUENCE sq
CREATE VIEW vw AS SELECT * FROM sh
SELECT has_table_privilege('u1','sh','delete'), has_table_privilege('u1','sh','insert, update')
SELECT has_table_privilege('sh','zap')
SELECT has_table_privilege('sh','select, zap')
SELECT has_table_privilege('sh','select with grant option')
SELECT has_table_privilege('nope','select')
SELECT has_table_privilege('nobody','sh','select')
SELECT has_table_privilege(99999::oid,'select')
SELECT has_table_privilege('public.sh','delete')
SELECT has_table_privilege('"sh"','delete')
SELECT has_table_privilege('SH','delete')
SELECT has_table_privilege('u1','pg_class','select'), has_table_privilege('u1','pg_class','insert')
SELECT has_column_privilege('sh','a','select')
SELECT has_column_privilege('u1','sh','a','update')
SELECT has_column_privilege('sh',1::int2,'insert')
SELECT has_column_privilege('sh',9::int2,'insert')
SELECT has_column_privilege('sh','zz','select')
SELECT has_column_privilege('sh','a','delete')
SELECT has_any_column_privilege('u1','sh','update'), has_any_column_privilege('sh','update')
SELECT has_schema_privilege('public','usage')
SELECT has_schema_privilege('u1','public','create')
SELECT has_schema_privilege('create, usage'::text,'usage')
SELECT has_schema_privilege('nos','usage')
SELECT has_schema_privilege('public','select')
SELECT has_schema_privilege(4711::oid,'usage')
SELECT has_database_privilege('u1', current_database(),'create')
SELECT has_database_privilege('u1', current_database(),'connect')
SELECT has_database_privilege(current_database(),'temp')
SELECT has_database_privilege('nodb','create')
SELECT has_function_privilege('lower(text)','execute')
SELECT has_function_privilege('u1','pg_catalog.abs(int)','execute')
SELECT has_function_privilege('nofun(text)','execute')
SELECT has_function_privilege('lower','execute')
SELECT has_function_privilege('lower(text)','usage')
SELECT has_type_privilege('int4','usage'), has_type_privilege('u1','text','usage')
SELECT has_type_privilege('notype','usage')
SELECT has_sequence_privilege('sq','usage'), has_sequence_privilege('u1','sq','select')
SELECT has_sequence_privilege('sh','usage')
SELECT has_sequence_privilege('nosq','usage')
SELECT has_language_privilege('sql','usage')
SELECT has_tablespace_privilege('pg_default','create')
SELECT has_tablespace_privilege('u1','pg_default','create')
SELECT has_language_privilege('nolang','usage')
SELECT pg_has_role('u1','usage')
SELECT pg_has_role('u1',current_user,'member')
SELECT pg_has_role(current_user,'member')
SELECT pg_has_role('u1','u1','zap')
SELECT pg_has_role('nobody','usage')
SELECT has_table_privilege(NULL,'select'), has_table_privilege('sh',NULL)
SELECT relname, has_table_privilege(oid,'select') FROM pg_class WHERE relname IN ('sh','vw') ORDER BY 1
SELECT relname, has_table_privilege('u1',oid,'insert') FROM pg_class WHERE relname IN ('sh') ORDER BY 1
DROP VIEW vw
DROP TABLE sh
DROP SEQUENCE sq
DROP ROLE u1
"""


@pytest.mark.parametrize("script", [NAMES, PRIVILEGES], ids=["names", "privileges"])
def test_answers_are_postgresqls(sides: tuple[Side, Side], script: str) -> None:
    assert differences(sides, script) == []


def test_an_ordinary_user_knows_no_other_role(sides: tuple[Side, Side]) -> None:
    ours = sides[0]
    for statement in ("CREATE USER ann PASSWORD 'ann ann'", "CREATE USER bob PASSWORD 'bob bob'"):
        assert ours.ask(statement)[0] == "CREATE ROLE"
    info = ours.connection.info
    conninfo = f"host=127.0.0.1 port={info.port} dbname={info.dbname} user=ann"
    with psycopg.connect(conninfo, password="ann ann", autocommit=True) as ann:
        for role in ("bob", "nobody"):
            with pytest.raises(
                psycopg.errors.UndefinedObject, match=f'role "{role}" does not exist'
            ):
                ann.execute(f"SELECT has_schema_privilege('{role}', 'public', 'usage')")
        answer = ann.execute("SELECT has_schema_privilege('ann', 'public', 'create')").fetchone()
    assert answer == (False,)

"""Write catalog/pg_catalog/fixed/*.tsv, the built-in functions and operators, from a PostgreSQL 15.

Usage: python -m conformance.oracle.make_fixed_rows "host=127.0.0.1 port=5432 user=postgres"

A file holds a relation of a new, empty database: a line of the columns' names, then a line a row, in
COPY's text format, ordered by OID. Columns that are the same in all rows, or of no use here (owners, access
rights), are left out. Of a function written in SQL the source is left out too: its name stands there.
"""

import sys
from pathlib import Path

import psycopg

FIXED = Path(__file__).parents[2] / "catalog" / "pg_catalog" / "fixed"

QUERIES = {
    "pg_aggregate": """
        SELECT aggfnoid::oid, aggkind, aggnumdirectargs, aggtransfn::oid, aggfinalfn::oid, aggcombinefn::oid,
               aggserialfn::oid, aggdeserialfn::oid, aggmtransfn::oid, aggminvtransfn::oid, aggmfinalfn::oid,
               aggfinalextra, aggmfinalextra, aggfinalmodify, aggmfinalmodify, aggsortop, aggtranstype,
               aggtransspace, aggmtranstype, aggmtransspace, agginitval, aggminitval
        FROM pg_aggregate ORDER BY 1""",
    "pg_amop": """
        SELECT oid, amopfamily, amoplefttype, amoprighttype, amopstrategy, amoppurpose, amopopr, amopmethod,
               amopsortfamily
        FROM pg_amop WHERE amopmethod IN (403, 405) ORDER BY 1""",
    "pg_amproc": """
        SELECT oid, amprocfamily, amproclefttype, amprocrighttype, amprocnum, amproc::oid
        FROM pg_amproc
        WHERE amprocfamily IN (SELECT oid FROM pg_opfamily WHERE opfmethod IN (403, 405)) ORDER BY 1""",
    "pg_cast": """
        SELECT oid, castsource, casttarget, castfunc, castcontext, castmethod FROM pg_cast ORDER BY 1""",
    "pg_opclass": """
        SELECT oid, opcmethod, opcname, opcfamily, opcintype, opcdefault, opckeytype
        FROM pg_opclass WHERE opcmethod IN (403, 405) ORDER BY 1""",
    "pg_operator": """
        SELECT oid, oprname, oprkind, oprcanmerge, oprcanhash, oprleft, oprright, oprresult, oprcom,
               oprnegate, oprcode::oid, oprrest::oid, oprjoin::oid
        FROM pg_operator ORDER BY 1""",
    "pg_opfamily": """
        SELECT oid, opfmethod, opfname FROM pg_opfamily WHERE opfmethod IN (403, 405) ORDER BY 1""",
    "pg_proc": """
        SELECT oid, proname, prolang, procost, prorows, provariadic, prosupport::oid, prokind, proleakproof,
               proisstrict, proretset, provolatile, proparallel, pronargs, pronargdefaults, prorettype,
               proargtypes, proallargtypes, proargmodes, proargnames, pg_get_expr(proargdefaults, 0)
               AS proargdefaults,
               CASE WHEN prolang = 14 AND prosrc NOT LIKE 'see %.sql' THEN proname ELSE prosrc END AS prosrc
        FROM pg_proc WHERE prolang IN (12, 14) AND pronamespace = 11 ORDER BY 1""",
}


def main(conninfo: str) -> None:
    FIXED.mkdir(exist_ok=True)
    with psycopg.connect(conninfo) as connection:
        for name, query in QUERIES.items():
            with connection.cursor() as cursor:
                names = [c.name for c in cursor.execute(f"{query} LIMIT 0").description or ()]
                with cursor.copy(f"COPY ({query}) TO STDOUT") as copy:
                    data = b"".join(copy)
            (FIXED / f"{name}.tsv").write_bytes("\t".join(names).encode() + b"\n" + data)


if __name__ == "__main__":
    main(sys.argv[1])

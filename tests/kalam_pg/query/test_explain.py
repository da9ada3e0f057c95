"""EXPLAIN's nodes and lines, without a server; with one see tests/wire/test_explain.py."""

import pyarrow as pa

from kalam_pg.engines.request import BatchRef, SegmentRef, TableInput
from kalam_pg.query.explain import with_input
from kalam_pg.query.explain_node import Actual, Node, as_json, lines

HOT = BatchRef(1, pa.record_batch({"c1": [1, 2]}))


def segment(rows: int, size: int) -> SegmentRef:
    return SegmentRef("a.parquet", rows, size, "", b"", b"", 1, 2)


def given(*segments: SegmentRef, overlapping: bool = False) -> TableInput:
    return TableInput("t0", HOT.batch.schema, (HOT,), segments, overlapping=overlapping)


def test_what_an_engine_is_given_of_a_table_is_told():
    assert list(lines(with_input(Node("Engine Scan", "t"), given()))) == [
        "Engine Scan on t",
        "  Hot Rows: 2",
    ]
    cold = given(segment(100, 4000), segment(20, 500), overlapping=True)
    assert list(lines(with_input(Node("Engine Scan", "t"), cold))) == [
        "Engine Scan on t",
        "  Hot Rows: 2",
        "  Segments: 2 (120 rows, 4500 bytes)",
        "  Merge: newest version of each key",
    ]


def test_lines_are_indented_as_postgresqls():
    scan = Node("Scan", "t", {"Filter": "(a = 1)"})
    subplan = Node("Result", label="SubPlan 1")
    tree = Node("Sort", details={"Sort Key": ("a", "b DESC")}, children=(scan, subplan))
    assert list(lines(tree)) == [
        "Sort",
        "  Sort Key: a, b DESC",
        "  ->  Scan on t",
        "        Filter: (a = 1)",
        "  SubPlan 1",
        "    ->  Result",
    ]


def test_json_has_the_same():
    scan = Node("Scan", "t", {"Hot Rows": 2}, actual=Actual(5, 0.25))
    assert as_json(Node("Limit", children=(scan,))) == {
        "Node Type": "Limit",
        "Plans": [
            {
                "Node Type": "Scan",
                "Relation Name": "t",
                "Actual Startup Time": 250.0,
                "Actual Total Time": 250.0,
                "Actual Rows": 5,
                "Actual Loops": 1,
                "Hot Rows": 2,
            }
        ],
    }

"""What the binder makes of statements: the tree's shape, not only its types."""

import pytest

from catalog.types import registry as T  # noqa: N812
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.bind import bind_expression
from kalam_pg.sql.tree import (
    BoolOp,
    Call,
    Coalesce,
    ColumnRef,
    Const,
    CteScan,
    Delete,
    FunctionScan,
    InList,
    Insert,
    InSubquery,
    Join,
    Param,
    ScalarSubquery,
    Select,
    SetOp,
    SubqueryScan,
    TableScan,
    Update,
    ValuesQuery,
    VirtualScan,
)
from storage.errors import KalamError
from tests.kalam_pg.sql.bind_fixtures import (
    G_TABLE,
    LOG_TABLE,
    T_TABLE,
    U_TABLE,
    bound,
    refusal,
    scope,
)


def select(sql: str) -> Select:
    statement = bound(sql).statement
    assert isinstance(statement, Select)
    return statement


def target(sql: str):
    return select(sql).targets[0].expr


# ------------------------------------------------------------------------------ names


def test_a_column_reference_names_its_relation_and_its_place_there():
    assert target("SELECT name FROM t") == ColumnRef(0, 1, "name", T.TEXT)


def test_a_position_plays_no_part_in_equality():
    assert target("SELECT   name FROM t") == target("SELECT name FROM t")
    assert target("SELECT   name FROM t").position == 10


def test_a_reference_from_a_subquery_says_how_many_levels_out_it_is():
    outer = target("SELECT (SELECT t.id + u.id FROM u) FROM t")
    assert isinstance(outer, ScalarSubquery)
    call = outer.query.targets[0].expr
    assert [ref.outer for ref in call.args] == [1, 0]


def test_each_side_of_a_set_operation_is_one_level_further_in():
    subquery = target("SELECT (SELECT t.id UNION SELECT 1) FROM t")
    assert subquery.query.left.targets[0].expr.outer == 2


def test_a_lateral_subquery_sees_its_neighbours_one_level_out():
    item = select("SELECT * FROM t, LATERAL (SELECT t.id AS q) AS l").from_[1]
    assert isinstance(item, SubqueryScan)
    assert item.lateral
    assert item.query.targets[0].expr.outer == 1


def test_a_function_in_from_refers_to_earlier_items_on_its_own_level():
    item = select("SELECT * FROM t, abs(t.id) AS a").from_[1]
    assert isinstance(item, FunctionScan)
    assert item.lateral
    assert item.call.args[0].outer == 0


def test_hidden_columns_are_readable_by_name_and_not_in_star():
    assert [c.name for c in bound("SELECT *, _seq FROM log").columns] == ["line", "_seq"]
    assert [c.name for c in bound("SELECT _rowid, log._deleted FROM log").columns] == [
        "_rowid",
        "_deleted",
    ]


def test_hidden_columns_do_not_take_part_in_natural_joins():
    (join,) = select("SELECT * FROM log NATURAL JOIN (SELECT 'x' AS line) AS o").from_
    assert isinstance(join, Join)
    assert isinstance(join.condition, Call)


def test_pg_catalog_is_searched_first_and_named_in_the_binding():
    result = bound("SELECT relname FROM pg_class")
    assert result.virtual == (("pg_catalog", "pg_class"),)
    assert isinstance(result.statement.from_[0], VirtualScan)


def test_every_stored_table_is_named_in_the_binding_once():
    result = bound("SELECT (SELECT max(x) FROM u) FROM t AS a, t AS b")
    assert result.tables == (T_TABLE, U_TABLE)


def test_a_view_is_a_subquery_whose_columns_come_from_the_view():
    item = select("SELECT * FROM vw").from_[0]
    assert isinstance(item, SubqueryScan)
    assert [(c.name, c.table_id, c.column_id) for c in item.columns] == [
        ("id", 9, 1),
        ("n", 9, 2),
        ("count", 9, 3),
    ]


def test_a_with_item_is_bound_once_and_scanned_by_number():
    statement = select("WITH a AS (SELECT 1 AS x) SELECT * FROM a, a AS b")
    assert [type(i) for i in statement.from_] == [CteScan, CteScan]
    assert {i.cte for i in statement.from_} == {statement.with_[0].number}


def test_a_recursive_with_item_scans_itself():
    statement = select("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) TABLE r")
    cte = statement.with_[0]
    assert cte.recursive
    assert isinstance(cte.query, SetOp)
    assert cte.query.right.from_[0].cte == cte.number


# ------------------------------------------------------------------------------ joins


def test_using_compares_and_merges_the_common_columns():
    statement = select("SELECT id FROM t FULL JOIN u USING (id)")
    assert isinstance(statement.targets[0].expr, Coalesce)
    assert isinstance(statement.from_[0].condition, Call)


@pytest.mark.parametrize(("kind", "relation"), [("LEFT", 0), ("RIGHT", 1), ("INNER", 0)])
def test_the_merged_column_is_the_side_that_always_has_a_row(kind, relation):
    assert target(f"SELECT id FROM t {kind} JOIN u USING (id)").relation == relation


def test_joins_bind_closer_than_commas():
    statement = select("SELECT 1 FROM t AS a, t AS b JOIN t AS c ON b.id = c.id")
    assert [type(i) for i in statement.from_] == [TableScan, Join]
    assert refusal("SELECT 1 FROM t a, t b JOIN t c ON a.id = c.id").sqlstate == "42P01"


# ------------------------------------------------------------------------------ types


def test_a_literal_is_read_as_the_type_it_meets():
    comparison = select("SELECT 1 FROM t WHERE id = '7'").where
    assert comparison.args[1] == Const(7, T.INT4)


def test_a_parameter_takes_the_type_it_meets_and_keeps_it():
    result = bound("SELECT id = $1, $1 FROM t")
    assert result.param_types == (T.INT4,)
    assert result.statement.targets[1].expr == Param(0, T.INT4)


@pytest.mark.parametrize("symbol", ["<", "<=", ">", ">=", "="])
def test_parameters_compared_with_a_row_have_its_fields_types(symbol):
    result = bound(f"SELECT id FROM t WHERE (id, name) {symbol} ($1, $2)")
    assert result.param_types == (T.INT4, T.TEXT)


def test_a_function_s_name_alone_is_its_value():
    (target,) = bound("SELECT e FROM jsonb_array_elements('[1]') e").statement.targets
    assert isinstance(target.expr, ColumnRef)
    assert target.expr.type is T.JSONB


def test_a_type_given_by_parse_is_kept():
    assert bound("SELECT $1", T.DATE).param_types == (T.DATE,)
    assert bound("SELECT $1 + 1", T.INT8).columns[0].type is T.INT8


def test_implicit_casts_are_calls():
    addition = target("SELECT id + 1::int8 FROM t")
    # int4 + int8 has an operator of its own; numeric needs a cast.
    assert addition.overload.args == (T.INT4, T.INT8)
    cast = target("SELECT id + 1.5 FROM t").args[0]
    assert isinstance(cast, Call)
    assert (cast.overload.kind, cast.type) == (OverloadKind.CAST, T.NUMERIC)


def test_casts_of_constants_are_folded():
    assert target("SELECT '12'::int8") == Const(12, T.INT8)
    assert target("SELECT 1.5::int4") == Const(2, T.INT4)
    assert target("SELECT 'abcdef'::varchar(3)") == Const("abc", T.VARCHAR, 7)


def test_a_literal_that_means_this_moment_is_not_folded():
    assert isinstance(target("SELECT 'now'::timestamptz"), Call)


def test_a_value_too_long_for_its_column_fails_when_it_runs():
    (row,) = bound("INSERT INTO g (v) VALUES ('abcdefgh')").statement.source
    assert isinstance(row[0], Call)


def test_in_over_one_type_is_a_list():
    listed = select("SELECT 1 FROM t WHERE id IN (1, '2', 3)").where
    assert isinstance(listed, InList)
    assert [i.value for i in listed.items] == [1, 2, 3]


def test_in_over_one_value_is_an_equality():
    assert isinstance(select("SELECT 1 FROM t WHERE id IN (1)").where, Call)


def test_not_in_a_query_is_not_equal_to_all():
    node = select("SELECT 1 FROM t WHERE id NOT IN (SELECT x FROM u)").where
    assert isinstance(node, InSubquery)
    assert (node.all, node.operators[0].name) == (True, "<>")


def test_a_query_side_is_cast_inside_the_query():
    node = select("SELECT 1 FROM t WHERE amt IN (SELECT id FROM u)").where
    assert node.query.columns[0].type is T.NUMERIC
    assert node.query.targets[0].expr.type is T.NUMERIC


def test_rows_are_compared_field_by_field():
    node = select("SELECT 1 FROM t WHERE (id, name) < (1, 'a')").where
    assert isinstance(node, BoolOp)
    assert node.kind.value == "OR"


def test_casts_around_a_distinct_branch_do_not_change_what_is_distinct():
    union = bound("SELECT DISTINCT id FROM t UNION ALL SELECT 1.5").statement
    assert isinstance(union, SetOp)
    assert isinstance(union.left.from_[0], SubqueryScan)


# ------------------------------------------------------------------------------ grouping


def test_output_names_and_ordinals_are_resolved_in_order_by():
    statement = select("SELECT name AS n, id FROM t ORDER BY n, 2 DESC")
    assert [k.expr.name for k in statement.order_by] == ["name", "id"]
    assert [(k.descending, k.nulls_first) for k in statement.order_by] == [
        (False, False),
        (True, True),
    ]


def test_grouping_sets_are_indexes_into_the_grouping_expressions():
    statement = select("SELECT grp, flag FROM t GROUP BY ROLLUP (grp, flag)")
    assert len(statement.group_by) == 2
    assert statement.grouping_sets == ((0, 1), (0,), ())
    plain = select("SELECT grp, flag FROM t GROUP BY grp, flag")
    assert plain.grouping_sets == ()


def test_grouping_elements_multiply():
    statement = select("SELECT 1 FROM t GROUP BY grp, GROUPING SETS ((flag), ())")
    assert statement.grouping_sets == ((0, 1), (0,))


def test_an_aggregate_makes_a_query_grouped():
    assert select("SELECT count(*) FROM t").grouped
    assert select("SELECT 1 FROM t HAVING true").grouped
    assert not select("SELECT (SELECT count(*) FROM u) FROM t").grouped


# ------------------------------------------------------------------------------ data changes


def test_insert_values_are_cast_and_default_is_none():
    statement = bound("INSERT INTO t (name, amt) VALUES ('a', 2), (DEFAULT, NULL)").statement
    assert isinstance(statement, Insert)
    assert statement.columns == (1, 3)
    first, second = statement.source
    assert first[1] == Const("2.00", T.NUMERIC, T.numeric_typmod(12, 2))
    assert second[0] is None


def test_insert_without_columns_fills_the_first_ones_that_are_not_hidden():
    statement = bound("INSERT INTO log VALUES ('x')").statement
    assert statement.columns == (1,)
    assert statement.table is LOG_TABLE


def test_insert_of_a_query_casts_its_output():
    statement = bound("INSERT INTO u (x, y) SELECT id, 'y' FROM t").statement
    assert [c.type for c in statement.source.columns] == [T.INT8, T.TEXT]
    assert isinstance(bound("INSERT INTO u (x) VALUES (1) LIMIT 1").statement.source, Select)


def test_default_values_is_one_empty_row():
    statement = bound("INSERT INTO u DEFAULT VALUES").statement
    assert (statement.columns, statement.source) == ((), ((),))


def test_on_conflict_names_the_constraints_columns_and_sees_both_rows():
    statement = bound(
        "INSERT INTO u VALUES (1, 'a', 2) ON CONFLICT (y, x) "
        "DO UPDATE SET y = u.y || excluded.y WHERE u.x > 1"
    ).statement
    conflict = statement.on_conflict
    assert conflict.arbiters == (2,)  # u_x_y_key
    left, right = conflict.assignments[0].expr.args
    assert (left.relation, right.relation) == (statement.target, conflict.excluded)


def test_update_assigns_by_column_index():
    statement = bound("UPDATE g SET (a, v) = (1, DEFAULT) WHERE id = 1").statement
    assert isinstance(statement, Update)
    assert [(a.column, a.expr) for a in statement.assignments] == [
        (1, Const(1, T.INT4)),
        (3, None),
    ]
    assert statement.table is G_TABLE


def test_delete_using_sees_target_and_items():
    statement = bound("DELETE FROM t USING u WHERE t.id = u.id RETURNING t.id, u.y").statement
    assert isinstance(statement, Delete)
    assert [t.expr.relation for t in statement.returning] == [statement.target, 1]


@pytest.mark.parametrize("column", ["_seq", "_deleted"])
def test_system_columns_are_not_assignable(column):
    assert refusal(f"INSERT INTO t ({column}) VALUES (1)").sqlstate == "0A000"
    assert refusal(f"UPDATE t SET {column} = 1").sqlstate == "0A000"


def test_on_conflict_without_a_matching_constraint_is_refused():
    assert refusal("INSERT INTO t VALUES (1) ON CONFLICT (name) DO NOTHING").sqlstate == "42P10"


# ------------------------------------------------------------------------------ expressions alone


def test_a_check_sees_the_tables_columns_as_relation_0():
    expr = bind_expression("amt > 0 AND name <> ''", scope(), T_TABLE, T.BOOL)
    assert isinstance(expr, BoolOp)
    with pytest.raises(KalamError) as caught:
        bind_expression("id", scope(), T_TABLE, T.BOOL)
    assert caught.value.sqlstate == "42804"


def test_a_default_is_assigned_to_its_column():
    assert bind_expression("'5'", scope(), None, T.INT8) == Const(5, T.INT8)
    with pytest.raises(KalamError) as caught:
        bind_expression("now()", scope(), None, T.INT8)
    assert caught.value.sqlstate == "42804"


@pytest.mark.parametrize("text", ["count(*)", "row_number() OVER ()"])
def test_aggregates_and_windows_have_no_place_in_a_default(text):
    with pytest.raises(KalamError) as caught:
        bind_expression(text, scope(), None, T.INT8)
    assert caught.value.sqlstate in {"42803", "42P20"}
    assert "DEFAULT expressions" in caught.value.message


def test_a_subquery_has_no_place_in_a_default():
    with pytest.raises(KalamError) as caught:
        bind_expression("(SELECT 1)", scope(), None, T.INT4)
    assert caught.value.sqlstate == "0A000"


def test_a_chain_of_conditions_is_one_node():
    chain = " OR ".join(["id = 1"] * 250)
    assert len(select(f"SELECT 1 FROM t WHERE {chain}").where.args) == 250


def test_values_as_a_query_have_one_type_a_column():
    statement = bound("VALUES (1, NULL), (2.5, 'x') ORDER BY 1").statement
    assert isinstance(statement, ValuesQuery)
    assert [c.type for c in statement.columns] == [T.NUMERIC, T.TEXT]
    assert statement.order_by[0].expr.relation == statement.relation


@pytest.mark.parametrize(
    ("statement", "sets"),
    [
        ("SELECT a AS x, a AS y FROM g GROUP BY x, ROLLUP(y)", ((0, 1), (0,))),
        ("SELECT a, a FROM g GROUP BY GROUPING SETS ((1), (2))", ((0,), (1,))),
        ("SELECT a AS x, a AS y FROM g GROUP BY CUBE(a, y)", ((0, 1), (0,), (1,), ())),
    ],
)
def test_output_columns_that_are_equal_are_keys_of_their_own_in_grouping_sets(statement, sets):
    select = bound(statement).statement
    assert isinstance(select, Select)
    assert select.grouping_sets == sets
    assert tuple([target.expr for target in select.targets]) == select.group_by


@pytest.mark.parametrize("name", ["rank", "percentile_disc"])
def test_a_column_as_a_direct_argument_beside_grouping_sets_is_refused_by_name(name):
    rows = "(VALUES (0.5, 1), (0.25, 2)) v(a, b)"
    call = f"{name}({{}}) WITHIN GROUP (ORDER BY b)"
    told = refusal(f"SELECT {call.format('a')} FROM {rows} GROUP BY ROLLUP (a)")
    assert "direct argument" in str(told)
    assert told.sqlstate == "0A000"
    select(f"SELECT {call.format('a')} FROM {rows} GROUP BY a")
    select(f"SELECT {call.format('1')} FROM {rows} GROUP BY ROLLUP (a)")


@pytest.mark.parametrize("name", ["xmax", "cmin", "cmax", "ctid"])
def test_a_system_column_that_is_not_here_is_refused_by_name(name):
    for text in (
        f"SELECT {name} FROM t",
        f"SELECT u.{name} FROM t u",
        f"DELETE FROM t WHERE {name} = '1'",
    ):
        told = refusal(text)
        assert told.sqlstate == "0A000"
        assert str(told) == f'system column "{name}" is not supported'
    assert refusal(f"SELECT {name} FROM (VALUES (1)) v").sqlstate == "42703"

"""The dialect: which sqlglot nodes `parse` returns for which SQL. The grammar is in `grammar_*`.

PostgreSQL's grammar is followed token by token (its precedence, its keywords, its error positions):
sqlglot's stock parser accepts a dozen dialects at once and folds functions and types into others. The
nodes are sqlglot's own classes in the shapes below.

Positions. Every node has `meta["start"]`: the 0-based character in `QueryStatement.text` that
PostgreSQL would point at: of an operator, its symbol; of `IN`, `BETWEEN`, `LIKE`, `IS`, that word; of a
function call, its name; of `x::t`, the `::`. `positions.position(node)` is that plus 1, 0 when unknown.
Names are folded already (`Identifier.this`; `quoted` tells how it was written). There is no `Paren`
around expressions: the tree is the precedence.

Expressions
    a, t.a, s.t.a       Column(this, table, db, catalog); t.*: Column(this=Star, table); *: Star
    1, 1.5, 1e3         Literal, `is_string` false, text as written (`.5`, `1.` too)
    'x', E'x', U&'x', $$x$$, N'x'   Literal, `is_string` true, already decoded, adjacent ones joined
    B'1', X'1F'         BitString, HexString     true, null      Boolean, Null
    $1                  Parameter(this=Literal "1")
    a + b, a @> b …     the class of OPERATORS where there is one, else Operator(this, operator,
                        expression); always with `meta["operator"]` = PostgreSQL's symbol (`!=` is
                        "<>"). a OPERATOR(s.@>) b has `meta["operator_schema"]` = "s" too.
    -a, other prefixes  Neg(this); else Operator(operator, expression) without `this`; both with meta
    AND OR NOT          And, Or (nested to the left), Not
    IS [NOT] NULL, TRUE, FALSE, UNKNOWN (also ISNULL, NOTNULL)
                        Is(this, expression=Null | Boolean | Var "UNKNOWN"), negated: `negate` true
    IS [NOT] DISTINCT FROM      NullSafeNEQ (distinct), NullSafeEQ (not distinct)
    [NOT] LIKE, ILIKE, SIMILAR TO [ESCAPE e]    Like, ILike, SimilarTo, with `negate`; with ESCAPE
                        inside Escape(this=Like…, expression=e)
    [NOT] BETWEEN       Between(this, low, high, symmetric) with `negate`
    [NOT] IN            In(this, expressions=[…]) or In(this, query=Subquery), with `negate`
    a = ANY (x), SOME, ALL      EQ(this=a, expression=Any | All(this=expression | Subquery));
                        the same for every operator and LIKE/ILIKE
    EXISTS (q)          Exists(this=query)        (q)   Subquery(this=query)
    ARRAY[…], ARRAY(q)  Array(expressions=[…]), nested [] are Arrays; Array(expressions=[Subquery])
    x[1], x[1:2]        Bracket(this, expressions=[i | Slice(this, expression)]), indexes as written
    (x).f, (x).*        Dot(this, expression=Identifier | Star)
    (a, b), ROW(a)      Tuple(expressions), `meta["row"]` true when ROW was written
    CASE                Case(this, ifs=[If(this, true)], default)
    CAST(x AS t), x::t, DATE 'x', INTERVAL '1' DAY      Cast(this, to); `type_name(cast.args["to"])` is
                        the `TypeName`; `meta["literal"]` true for the last two
    AT TIME ZONE        AtTimeZone(this, zone)    COLLATE       Collate(this, expression=Column)
    f(a, b)             Anonymous(this="f", expressions); further args: `schema` ("pg_catalog"),
                        `distinct` true, `variadic` true, `order`=Order, expressions=[Star] for f(*);
                        a => 1 is Kwarg(this=Identifier, expression). COALESCE, NULLIF, GREATEST,
                        LEAST, GROUPING are such calls too, never with a schema.
    extract(f from x)   the call PostgreSQL makes of it: extract('f', x); position(a in b):
                        position(b, a); substring(x from a for b): substring(x, a, b);
                        trim(leading c from x): ltrim(x, c); overlay(…); normalize(x, 'NFC');
                        collation for (x): pg_collation_for(x)
    CURRENT_USER, USER, CURRENT_DATE, LOCALTIME(3) …    Anonymous("current_user", expressions=[
                        precision]), `meta["keyword"]` true; CURRENT_USER() is the same without it
    agg FILTER / WITHIN GROUP / OVER    Filter(this=call, expression=Where), WithinGroup(this=call,
                        expression=Order), Window(this=call | those, alias=Identifier (OVER w),
                        partition_by, order, spec=WindowSpec(kind, start, start_side, end, end_side,
                        exclude=Var)); start, end: "UNBOUNDED" | "CURRENT ROW" | expression
    DEFAULT             Var "DEFAULT" (VALUES items and SET only)

Queries
    Select: with_, distinct=Distinct(on=Tuple), expressions=[Alias(this, alias=Identifier) | …],
        from_=From(this=item), joins, where=Where, group=Group(expressions, `distinct`), having=Having,
        windows=[Window(this=Identifier, …)], order=Order(expressions=[Ordered(this, desc,
        nulls_first)]), limit=Limit(expression), offset=Offset(expression), locks=[Lock(expressions=
        [Identifier], wait: None | True (NOWAIT) | False (SKIP LOCKED)), `meta["strength"]`].
        nulls_first is always set (NULLS LAST ascending is PostgreSQL's default). FETCH FIRST is Limit.
        ORDER BY x USING > is DESC. LIMIT ALL is no limit.
    Group items: expression | Rollup | Cube | GroupingSets(expressions); () is an empty Tuple.
    Values(expressions=[Tuple]), with order, limit, offset, with_.  TABLE t: Select(*, from t).
    Union, Except, Intersect(this, expression, distinct), with order, limit, offset, locks, with_. An
        operand in parentheses is the query itself.
    With(expressions=[CTE(this=query or Insert, Update, Delete, alias=TableAlias(this, columns),
        materialized: None | True | False)], recursive)
    FROM items: Table(this, db, catalog, alias=TableAlias(this, columns), `only`);
        Table(this=Anonymous, alias, `ordinality`), columns may be ColumnDef(this, kind);
        Subquery(this=query, alias); Lateral(this=Subquery | Anonymous, alias, `ordinality`);
        Paren(this=item, joins=[…], alias) for a join in parentheses.
    joins: in order of writing, Join(this=item, side LEFT|RIGHT|FULL, kind INNER|CROSS, method
        NATURAL, on, using=[Identifier]). A comma is a Join with `meta["comma"]`; commas bind
        loosest: the joins between two commas belong to the item before them.

Data changes (all with with_, returning=Returning(expressions))
    Insert(this=Table | Schema(this=Table, expressions=[Identifier]), expression=query | None for
        DEFAULT VALUES (`default` true), `overriding` SYSTEM | USER, conflict=OnConflict(conflict_keys=
        [expression], index_predicate=Where, constraint=Identifier, action=Var "DO NOTHING" | "DO
        UPDATE", expressions=[EQ], where=Where))
    Update(this=Table, expressions=[EQ(this=Column | Tuple of Column, expression)], from_, joins, where |
        current_of=Identifier)
    Delete(this=Table, from_ (the USING list), joins, where | current_of)
    Merge(this=Table, using=FROM item, joins, on, whens=[When(matched, condition, then=Var "DO NOTHING" |
        Update(expressions) | Delete() | Insert(this=Schema(expressions), `overriding`, expression=Values))])
"""

from sqlglot import exp

from kalam_pg.sql.statements import TypeName

OPERATORS: dict[str, type[exp.Binary]] = {
    "+": exp.Add,
    "-": exp.Sub,
    "*": exp.Mul,
    "/": exp.Div,
    "%": exp.Mod,
    "^": exp.Pow,
    "||": exp.DPipe,
    "=": exp.EQ,
    "<>": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
"""Operators with a node class of their own; all others are `exp.Operator`."""


def type_name(node: exp.Expr) -> TypeName:
    """The type as written of a Cast's `to`, or of a ColumnDef's `kind`."""
    name = node.meta["type"]
    assert isinstance(name, TypeName)
    return name


def type_node(name: TypeName) -> exp.DataType:
    """The node that carries a written type; the inverse of `type_name`."""
    node = exp.DataType(this=exp.DType.USERDEFINED, kind=name.name)
    node.meta["type"] = name
    node.meta["start"] = name.position - 1
    return node

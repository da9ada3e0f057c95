"""PostgreSQL 15's key words by what they may not be, as `pg_get_keywords()` lists them."""

RESERVED = frozenset(
    """
    all analyse analyze and any array as asc asymmetric both case cast check collate column
    constraint create current_catalog current_date current_role current_time current_timestamp
    current_user default deferrable desc distinct do else end except false fetch for foreign from
    grant group having in initially intersect into lateral leading limit localtime localtimestamp
    not null offset on only or order placing primary references returning select session_user some
    symmetric table then to trailing true union unique user using variadic when where window with
    """.split()  # noqa: SIM905 - a table of words
)
"""Never a name (only after AS, or quoted)."""

TYPE_OR_FUNCTION = frozenset(
    """
    authorization binary collation concurrently cross current_schema freeze full ilike inner is
    isnull join left like natural notnull outer overlaps right similar tablesample verbose
    """.split()  # noqa: SIM905 - a table of words
)
"""May name a function or type, not a column or table."""

COLUMN_NAME = frozenset(
    """
    between bigint bit boolean char character coalesce dec decimal exists extract float greatest
    grouping inout int integer interval least national nchar none normalize nullif numeric out
    overlay position precision real row setof smallint substring time timestamp treat trim values
    varchar xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi
    xmlroot xmlserialize xmltable
    """.split()  # noqa: SIM905 - a table of words
)
"""May name a column or table, not a function or type."""

NEEDS_AS = frozenset(
    """
    array as char character create day except fetch filter for from grant group having hour
    intersect into isnull limit minute month notnull offset on order over overlaps precision
    returning second to union varying where window with within without year
    """.split()  # noqa: SIM905 - a table of words
)
"""May be a column label only after AS."""

NOT_A_NAME = RESERVED | TYPE_OR_FUNCTION
"""What a table or column cannot be called without quotes."""

NOT_A_FUNCTION = RESERVED | COLUMN_NAME
"""What a function or type cannot be called without quotes."""

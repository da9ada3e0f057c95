"""pg_get_keywords(): the key words of PostgreSQL 15, and what each may not be."""

from collections.abc import Iterator

from catalog.types.registry import BOOL, CHAR, RECORD, TEXT
from kalam_pg.functions.define import Datum, returns_set
from kalam_pg.functions.table import Overload

_UNRESERVED = """
abort absolute access action add admin after aggregate also alter always asensitive assertion
assignment at atomic attach attribute backward before begin breadth by cache call called cascade
cascaded catalog chain characteristics checkpoint class close cluster columns comment comments
commit committed compression configuration conflict connection constraints content continue
conversion copy cost csv cube current cursor cycle data database day deallocate declare defaults
deferred definer delete delimiter delimiters depends depth detach dictionary disable discard
document domain double drop each enable encoding encrypted enum escape event exclude excluding
exclusive execute explain expression extension external family filter finalize first following force
forward function functions generated global granted groups handler header hold hour identity if
immediate immutable implicit import include including increment index indexes inherit inherits
inline input insensitive insert instead invoker isolation key label language large last leakproof
level listen load local location lock locked logged mapping match matched materialized maxvalue
merge method minute minvalue mode month move name names new next nfc nfd nfkc nfkd no normalized
nothing notify nowait nulls object of off oids old operator option options ordinality others over
overriding owned owner parallel parameter parser partial partition passing password plans policy
preceding prepare prepared preserve prior privileges procedural procedure procedures program
publication quote range read reassign recheck recursive ref referencing refresh reindex relative
release rename repeatable replace replica reset restart restrict return returns revoke role rollback
rollup routine routines rows rule savepoint schema schemas scroll search second security sequence
sequences serializable server session set sets share show simple skip snapshot sql stable standalone
start statement statistics stdin stdout storage stored strict strip subscription support sysid
system tables tablespace temp template temporary text ties transaction transform trigger truncate
trusted type types uescape unbounded uncommitted unencrypted unknown unlisten unlogged until update
vacuum valid validate validator value varying version view views volatile whitespace within without
work wrapper write xml year yes zone
"""
_COLUMN_NAMES = """
between bigint bit boolean char character coalesce dec decimal exists extract float greatest
grouping inout int integer interval least national nchar none normalize nullif numeric out overlay
position precision real row setof smallint substring time timestamp treat trim values varchar
xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
xmlserialize xmltable
"""
_TYPES_AND_FUNCTIONS = """
authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull
join left like natural notnull outer overlaps right similar tablesample verbose
"""
_RESERVED = """
all analyse analyze and any array as asc asymmetric both case cast check collate column constraint
create current_catalog current_date current_role current_time current_timestamp current_user default
deferrable desc distinct do else end except false fetch for foreign from grant group having in
initially intersect into lateral leading limit localtime localtimestamp not null offset on only or
order placing primary references returning select session_user some symmetric table then to trailing
true union unique user using variadic when where window with
"""
_NEED_AS = """
array as char character create day except fetch filter for from grant group having hour intersect
into isnull limit minute month notnull offset on order over overlaps precision returning second to
union varying where window with within without year
"""

_CATEGORIES = (
    ("U", "unreserved", _UNRESERVED),
    ("C", "unreserved (cannot be function or type name)", _COLUMN_NAMES),
    ("T", "reserved (can be function or type name)", _TYPES_AND_FUNCTIONS),
    ("R", "reserved", _RESERVED),
)


def _keywords() -> Iterator[tuple[Datum, ...]]:
    needs = frozenset(_NEED_AS.split())
    of = {word: (code, told) for code, told, words in _CATEGORIES for word in words.split()}
    for word, (code, told) in sorted(of.items()):
        bare = word not in needs
        label = "can be bare label" if bare else "requires AS"
        yield word, code, bare, told, label


OVERLOADS: tuple[Overload, ...] = (
    returns_set(
        "pg_get_keywords", (), RECORD, _keywords,
        out_names=("word", "catcode", "barelabel", "catdesc", "baredesc"),
        out_types=(TEXT, CHAR, BOOL, TEXT, TEXT),
    ),
)  # fmt: skip

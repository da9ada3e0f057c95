"""Comments: pg_description and pg_shdescription."""

from collections.abc import Iterator, Mapping

from catalog.pg_catalog import extension, oids
from catalog.pg_catalog.visible import Visible
from storage.layout import Value

Values = Mapping[str, Value]


def pg_description(visible: Visible) -> Iterator[Values]:
    """Comments on what is in schemas, and on these."""
    for n in visible.all_namespaces:
        if n.comment:
            yield _description(oids.namespace_oid(n.name, n.id), 2615, 0, n.comment)
    for extension_oid, comment in extension.comments().items():
        yield _description(extension_oid, 3079, 0, comment)
    for made in visible.types:
        if made.comment:
            yield _description(made.id, 1247, 0, made.comment)
    for sequence in visible.sequences.values():
        if sequence.comment:
            yield _description(sequence.id, 1259, 0, sequence.comment)
    for function in visible.functions.values():
        if function.comment:
            yield _description(function.id, 1255, 0, function.comment)
    for relation in visible.relations:
        oid = oids.table_oid(relation.id)
        if relation.comment:
            yield _description(oid, 1259, 0, relation.comment)
        for column in relation.columns:
            if column.comment:
                yield _description(oid, 1259, column.id, column.comment)
    yield from _of_indexes(visible)
    for oid, (_, constraint) in visible.keys_by_oid.items():
        if constraint.comment:
            yield _description(oid, 2606, 0, constraint.comment)


def _of_indexes(visible: Visible) -> Iterator[Values]:
    for table in visible.tables:
        for index in table.indexes:
            if index.comment:
                yield _description(oids.constraint_oid(table.id, index.id), 1259, 0, index.comment)


def _description(oid: int, catalog: int, number: int, text: str) -> Values:
    return {"objoid": oid, "classoid": catalog, "objsubid": number, "description": text}


def pg_shdescription(visible: Visible) -> Iterator[Values]:
    """Comments on what all databases share: this one, and roles."""
    if comment := visible.database_comment():
        yield {"objoid": oids.DATABASE, "classoid": 1262, "description": comment}
    for user in visible.roles():
        if user.comment and user.deleted_at_us is None:
            yield {"objoid": user.oid, "classoid": 1260, "description": user.comment}

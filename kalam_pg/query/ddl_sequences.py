"""Sequences: each statement to its catalog change, and the sequences that defaults name."""

from dataclasses import replace

from catalog import changes, changes_drop, changes_sequence
from catalog.changes import CatalogChange
from catalog.changes_sequence import SequenceOptions
from catalog.errors import (
    DuplicateTableError,
    FeatureNotSupportedError,
    ObjectNotInPrerequisiteStateError,
    SqlSyntaxError,
    UndefinedColumnError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.model import NumberSequence, Table, is_temporary
from catalog.pg_catalog.objects import split_name
from catalog.privileges import Action, require
from kalam_pg.query.ddl_context import (
    DdlContext,
    DdlPlan,
    creation_namespace,
    find_relation,
    grantee,
    kept_expression,
    plan,
    require_not_moved,
)
from kalam_pg.sql import statements as st
from kalam_pg.sql import statements_sequence as ss
from kalam_pg.sql.lexer import Token, tokenize


def find_sequence(context: DdlContext, name: st.TableName) -> NumberSequence:
    """The sequence of that name. Raises 42P01, 42809."""
    snapshot, path = context.snapshot, context.search_path
    found = snapshot.find_sequence(name.schema, name.name, path)
    if found is not None:
        return found
    if snapshot.find(name.schema, name.name, path) is not None:
        raise WrongObjectTypeError(f'"{name.name}" is not a sequence')
    raise UndefinedTableError(f'relation "{name}" does not exist', position=name.position)


@plan.register
def _(statement: ss.CreateSequence, context: DdlContext) -> DdlPlan:
    namespace = creation_namespace(context, statement.name, temporary=statement.temporary)
    if not is_temporary(namespace.name):
        require(context.user, Action.CREATE_USER_TABLE, namespace)
    change = changes_sequence.create_sequence(
        context.snapshot,
        context.ids,
        namespace.name,
        statement.name.name,
        _resolved(statement.options, statement.owned_by, namespace.name, context),
        owner=context.user.id,
        now_us=context.now_us,
        if_not_exists=statement.if_not_exists,
    )
    return DdlPlan(change, "CREATE SEQUENCE")


@plan.register
def _(statement: ss.AlterSequence, context: DdlContext) -> DdlPlan:
    sequence = _to_change(statement.name, context, if_exists=statement.if_exists)
    if sequence is None:
        return DdlPlan(_skipped(statement.name, context), "ALTER SEQUENCE")
    options = _resolved(statement.options, statement.owned_by, sequence.namespace, context)
    if options.owned_by is not None and sequence.internal:
        raise FeatureNotSupportedError(
            "cannot change ownership of identity sequence",
            detail=f'Sequence "{sequence.name}" is linked to table '
            f'"{_owner_of(sequence, context)}".',
        )
    changed = changes_sequence.altered(sequence, options)
    change = changes.put_sequence(context.snapshot, changed)
    return DdlPlan(change, "ALTER SEQUENCE")


def _owner_of(sequence: NumberSequence, context: DdlContext) -> str:
    assert sequence.owned_by is not None
    return context.snapshot.tables[sequence.owned_by[0]].name


@plan.register
def _(statement: ss.MoveSequence, context: DdlContext) -> DdlPlan:
    sequence = _to_change(statement.name, context, if_exists=statement.if_exists)
    if sequence is None:
        return DdlPlan(_skipped(statement.name, context), "ALTER SEQUENCE")
    moved = replace(
        sequence,
        name=statement.new_name or sequence.name,
        namespace=statement.schema or sequence.namespace,
    )
    if statement.owner:
        moved = replace(moved, owner=grantee(context, statement.owner))
    if moved.qualified_name != sequence.qualified_name:
        require_not_moved(sequence.namespace, moved.namespace)
        if statement.schema and sequence.owned_by is not None:
            raise FeatureNotSupportedError(
                "cannot move an owned sequence into another schema",
                detail=f'Sequence "{sequence.name}" is linked to table '
                f'"{_owner_of(sequence, context)}".',
            )
        changes.require_namespace(context.snapshot, moved.namespace)
        if context.snapshot.is_taken(moved.namespace, moved.name):
            where = f' in schema "{moved.namespace}"' if statement.schema else ""
            raise DuplicateTableError(f'relation "{moved.name}" already exists{where}')
    return DdlPlan(changes.put_sequence(context.snapshot, moved), "ALTER SEQUENCE")


@plan.register
def _(statement: ss.DropSequence, context: DdlContext) -> DdlPlan:
    found: dict[int, NumberSequence] = {}
    notices: list[str] = []
    for name in statement.names:
        changes.require_not_system(name.schema)
        sequence = context.snapshot.find_sequence(name.schema, name.name, context.search_path)
        if sequence is not None:
            require(context.user, Action.DROP_SEQUENCE, sequence)
            found[sequence.id] = sequence
            continue
        other = context.snapshot.find(name.schema, name.name, context.search_path)
        if other is not None:
            kind = "table" if isinstance(other, Table) else "view"
            raise WrongObjectTypeError(
                f'"{name.name}" is not a sequence',
                hint=f"Use DROP {kind.upper()} to remove a {kind}.",
            )
        if not statement.if_exists:
            raise changes.undefined_relation("sequence", str(name))
        notices.append(f'sequence "{name.name}" does not exist, skipping')
    change = changes_drop.drop_sequences(
        context.snapshot,
        list(found.values()),
        notices,
        cascade=statement.cascade,
        search_path=context.search_path,
    )
    return DdlPlan(change, "DROP SEQUENCE")


def _to_change(
    name: st.TableName, context: DdlContext, *, if_exists: bool
) -> NumberSequence | None:
    """The sequence that is to be changed; None when there need be none. Raises 42P01, 42809, 42501."""
    try:
        sequence = find_sequence(context, name)
    except UndefinedTableError:
        if if_exists:
            return None
        raise
    require(context.user, Action.ALTER_SEQUENCE, sequence)
    return sequence


def _skipped(name: st.TableName, context: DdlContext) -> CatalogChange:
    notice = f'relation "{name.name}" does not exist, skipping'
    return CatalogChange(context.snapshot, notices=(notice,))


def _resolved(
    options: SequenceOptions, owned_by: tuple[str, ...], namespace: str, context: DdlContext
) -> SequenceOptions:
    """The options with the column of OWNED BY found. Raises 42601, 42P01, 42703, 55000, 42809."""
    if not owned_by:
        return options
    if len(owned_by) == 1:
        if owned_by[0] != "none":
            raise SqlSyntaxError(
                "invalid OWNED BY option",
                hint="Specify OWNED BY table.column or OWNED BY NONE.",
            )
        return replace(options, owned_by="none")
    *schema, table_name, column_name = owned_by
    table = find_relation(context, st.TableName(schema[-1] if schema else "", table_name))
    if not isinstance(table, Table):
        raise WrongObjectTypeError(
            f'sequence cannot be owned by relation "{table.name}"',
            detail="This operation is not supported for views.",
        )
    if table.namespace != namespace:
        raise ObjectNotInPrerequisiteStateError(
            "sequence must be in same schema as table it is linked to"
        )
    for column in table.columns:
        if column.name == column_name:
            return replace(options, owned_by=(table.id, column.id))
    raise UndefinedColumnError(f'column "{column_name}" of relation "{table.name}" does not exist')


# ------------------------------------------------------------------ defaults


def kept_default(text: str, context: DdlContext) -> str:
    """A default as the catalogue keeps it: with the sequences that nextval() names by their OIDs.

    Raises 42P01.
    """
    text = kept_expression(text, context)
    if "nextval" not in text.lower():
        return text
    tokens = tokenize(text)
    parts: list[str] = []
    copied = 0
    for at, token in enumerate(tokens):
        end = _named_sequence(tokens, at)
        if end is None:
            continue
        name = tokens[at + 2].value
        parts += (text[copied : token.start], changes_sequence.next_value(_id_of(name, context)))
        copied = tokens[end].end
    return "".join([*parts, text[copied:]])


def _named_sequence(tokens: list[Token], at: int) -> int | None:
    """Where nextval('name' [:: regclass]) that begins at a token ends; None when none does."""
    keys = [token.key for token in tokens[at : at + 6]]
    if keys[:2] != ["nextval", "("] or len(keys) < 4 or tokens[at + 2].kind != "string":
        return None
    if keys[3] == ")":
        return at + 3
    return at + 5 if keys[3:] == ["::", "regclass", ")"] else None


def _id_of(text: str, context: DdlContext) -> int:
    if text.isdigit():
        return int(text)
    parts = split_name(text)
    if parts is None or len(parts) > 2:
        raise UndefinedTableError(f'relation "{text}" does not exist')
    schema = parts[-2] if len(parts) == 2 else ""
    return find_sequence(context, st.TableName(schema, parts[-1])).id

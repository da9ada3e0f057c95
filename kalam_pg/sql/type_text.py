"""Types as definitions name them: what people made with its schema, where the bare name does not mean it."""

from collections.abc import Sequence

from catalog.pg_catalog.text import qualified, quote_identifier
from catalog.types import registry as types
from catalog.types.table import PgType


def type_text(kind: PgType, typmod: int, search_path: Sequence[str]) -> str:
    """The type with its length."""
    element = kind.element
    definition = (element or kind).definition
    namespace = getattr(definition, "namespace", None)
    name = getattr(definition, "name", None)
    if namespace is None or name is None:
        return types.format_type(kind, typmod)
    shown = quote_identifier(name) if namespace in search_path else qualified(namespace, name)
    return shown + ("[]" if element is not None else "")

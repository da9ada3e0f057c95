"""How the rows of one result look on the wire: what every way of answering asks, the quick ones too."""

from collections.abc import Sequence
from functools import lru_cache

from catalog.types.table import PgType, TypeContext
from kalam_pg.pgwire.encode import row_description
from kalam_pg.pgwire.messages import FieldDescription
from kalam_pg.rows.rowwise import Encoder, row_encoder
from kalam_pg.sql.tree import OutputColumn


class RowForm:
    """The columns of a result, the format of each (0 text, 1 binary) and the settings that text has.

    context: with the names of catalogue objects if `names_objects`. Equal forms of other results share
    their encoder, unless they show such names.
    """

    __slots__ = ("_encode", "_shape", "columns", "context", "formats")

    def __init__(
        self,
        columns: tuple[OutputColumn, ...],
        formats: tuple[int, ...],
        context: TypeContext,
    ) -> None:
        """formats: one for each column; () is all text."""
        self.columns = columns
        self.formats = formats or (0,) * len(columns)
        self.context = context
        self._encode: Encoder | None = None
        self._shape: Shape | None = None

    @property
    def types(self) -> tuple[PgType, ...]:
        """By column."""
        return tuple([column.type for column in self.columns])

    @property
    def typmods(self) -> tuple[int, ...]:
        """By column."""
        return tuple([column.typmod for column in self.columns])

    @property
    def names_objects(self) -> bool:
        """Whether a name is shown, which may be another one tomorrow: nothing made of it is kept."""
        return names_objects(self.columns)

    @property
    def encode(self) -> Encoder:
        """What makes a row's DataRow message."""
        encode = self._encode
        if encode is None:
            encode = self._encode = row_encoder(
                self.types, self.typmods, self.formats, self.context
            )
        return encode

    def shape(self, slots: tuple[int, ...]) -> "Shape":
        """What is sent of a stored row whose columns `slots` are the result. Not if `names_objects`."""
        shape = self._shape
        if shape is None or shape.slots is not slots:
            shape = self._shape = _shape(self.encode, slots)
        return shape

    @property
    def description(self) -> bytes:
        """The RowDescription message."""
        return described(self.columns, self.formats)


class Shape:
    """Some columns of stored rows in a form. Equal ones are one object: what was made of a row is kept by it.

    encode: makes the message of these columns' values.
    """

    __slots__ = ("encode", "slots")

    def __init__(self, encode: Encoder, slots: tuple[int, ...]) -> None:
        self.encode = encode
        self.slots = slots


_shape = lru_cache(maxsize=256)(Shape)


def names_objects(columns: Sequence[OutputColumn]) -> bool:
    """Whether any column's text has names of catalogue objects: of regclass, its like, their arrays."""
    return any(column.type.names_objects for column in columns)


KEPT_WIDTH_MAX = 100
"""What is made of more columns is not kept: 2048 results of 1664 columns are half a gigabyte."""


def described(columns: tuple[OutputColumn, ...], formats: tuple[int, ...]) -> bytes:
    """The RowDescription message of columns in formats (one for each); needs no settings."""
    wide = len(columns) > KEPT_WIDTH_MAX
    return _describe(columns, formats) if wide else _kept_description(columns, formats)


def _describe(columns: tuple[OutputColumn, ...], formats: tuple[int, ...]) -> bytes:
    return row_description(
        [
            FieldDescription(
                name=column.name,
                type_oid=column.type.oid,
                size=column.type.length,
                modifier=column.typmod,
                format=code,
                table_oid=column.table_id,
                column_number=column.column_id,
            )
            for column, code in zip(columns, formats, strict=True)
        ]
    )


_kept_description = lru_cache(maxsize=2048)(_describe)

"""Arrays of any shape through Arrow: what a list has no room for is in another form, and comes back."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.arrow import to_array, to_batch, to_column, to_rows, to_values
from storage.cold.manifest import Manifest, Segment, decode, encode
from storage.errors import FeatureNotSupportedError
from storage.ids import TabletId
from storage.layout import Column, Layout
from storage.log.log_entry import Op, decode_entry, encode_entry
from storage.shaped import BoundedArray, alike, in_form, is_shaped, shaped, shaped_columns

ITEMS = {
    pa.int32(): st.integers(-9, 9),
    pa.string(): st.sampled_from(["", "a", "{}"]),
    pa.timestamp("us"): st.integers(0, 9),
    pa.decimal128(9, 2): st.sampled_from(["1.50", "-0.01"]),
    pa.list_(pa.float32()): st.tuples(st.just(0.5)),
}


@st.composite
def arrays(draw, items, deep):
    """An array, or None. deep: it may have several dimensions."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([None, ()]))
    sizes = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3 if deep else 1))

    def of(sizes):
        if not sizes:
            return draw(st.none() | items)
        return tuple([of(sizes[1:]) for _ in range(sizes[0])])

    lower = tuple([draw(st.sampled_from([1, 1, 0, -3])) for _ in sizes])
    found = of(sizes)
    return found if set(lower) == {1} else BoundedArray(found, lower)


@pytest.mark.parametrize("item", ITEMS, ids=str)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_column_of_arrays_is_what_was_put_in_it(item, data):
    deep = not pa.types.is_nested(item)
    values = data.draw(st.lists(arrays(ITEMS[item], deep), max_size=6))
    column = to_column(values, pa.list_(item))
    assert to_values(column) == values
    assert to_values(column[1:]) == values[1:]
    assert to_values(pa.chunked_array([column, column[2:]])) == values + values[2:]
    file = pa.BufferOutputStream()
    pq.write_table(pa.table({"c": column}), file)
    read = pq.read_table(pa.BufferReader(file.getvalue())).column("c")
    assert read.type == column.type
    assert to_values(read) == values
    plain = [value for value in values if not is_shaped(to_column([value], pa.list_(item)).type)]
    assert to_values(in_form(to_array(plain, pa.list_(item)), shaped(pa.list_(item)))) == plain


LAYOUT = Layout(
    1, (Column(1, "id", "int", pa.int64()), Column(2, "a", "none", pa.list_(pa.int32()))), (0,)
)
PLAIN = [(1, (1, 2)), (2, None), (3, ())]
SHAPED = [(4, ((1,), (2,))), (5, BoundedArray((7,), (0,))), (6, (3,))]


def test_a_list_is_what_it_was_and_refuses_other_shapes():
    assert to_batch(PLAIN, LAYOUT, [1] * 3, [False] * 3).schema.field("c2").type == pa.list_(
        pa.int32()
    )
    for _, value in SHAPED[:2]:
        with pytest.raises(FeatureNotSupportedError):
            to_array([value], pa.list_(pa.int32()))


def test_batches_of_both_forms_are_put_together_in_the_one_with_room():
    batches = [to_batch(rows, LAYOUT, [1] * 3, [False] * 3) for rows in (PLAIN, SHAPED)]
    assert [shaped_columns(batch.schema) for batch in batches] == [set(), {"c2"}]
    with pytest.raises(pa.ArrowInvalid):
        pa.concat_batches(batches)
    assert to_rows(pa.concat_batches(alike(batches)), LAYOUT) == PLAIN + SHAPED
    assert alike(batches[:1] * 2) == batches[:1] * 2


def test_what_an_older_server_does_not_know_has_a_format_of_its_own(tmp_path):
    entries = [encode_entry(Op.INSERT, 1, row, None) for row in (PLAIN[0], SHAPED[0], SHAPED[1])]
    assert [entry[0] for entry in entries] == [1, 1, 2]
    entry = decode_entry(encode_entry(Op.UPDATE, 1, SHAPED[1], SHAPED[0]))
    assert (entry.row, entry.old) == (SHAPED[1], SHAPED[0])
    segment = Segment(
        *(str(tmp_path / "s"), 1, 1, "", 1, 1, b"", b"", 0, 0, "s.keys"), shaped=frozenset({"c2"})
    )
    text = encode(Manifest(TabletId(1, 2), 1, 1, segments=(segment,)))
    assert text.startswith(b'{\n "format": 4,')
    assert decode(text, tmp_path).segments[0].shaped == {"c2"}

"""Columns of some rows of a segment: no more of them is decoded than the pages that these rows are in.

Where most pages of a column chunk are wanted, all of it is read: that takes less than page by page.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

import pyarrow as pa

from storage.cold.pages import Chunk
from storage.cold.segment_pages import PageAt, SegmentPages

_CUT_MAX = 8

Whole = tuple[int, str]
"""All of a column in a row group."""


def parts_of(
    pages: SegmentPages,
    places: Mapping[int, Sequence[int]],
    names: Sequence[str],
    decode: Callable[[Sequence[int], Sequence[str]], Mapping[Whole, pa.Array]],
) -> dict[str, list[pa.Array]]:
    """The values of columns, by their names, in arrays that follow each other.

    Args:
        pages: Of the segment, which has these columns.
        places: The rows by row groups, as numbers within these.
        names: The columns.
        decode: Gives all of some columns in several row groups.

    Raises:
        DataCorruptedError: The segment is not what was written.
    """
    whole: dict[Whole, pa.Array] = {}
    chunks: dict[Whole, Chunk] = {}
    found: dict[PageAt, pa.Array | None] = {}
    wanted: dict[tuple[str, ...], list[int]] = {}
    for group, at in places.items():
        mostly: list[str] = []
        for name in names:
            values = pages.kept((group, name))
            if values is not None:
                whole[group, name] = values
                continue
            chunk = pages.chunk(group, name)
            numbers = () if chunk is None else set(map(chunk.page_of, at))
            if chunk is None or 2 * len(numbers) > len(chunk.firsts):
                mostly.append(name)
                continue
            chunks[group, name] = chunk
            found |= {one: pages.kept(one) for one in (PageAt(name, group, n) for n in numbers)}
        if mostly:
            wanted.setdefault(tuple(mostly), []).append(group)
    for some, groups in wanted.items():
        whole |= decode(groups, some)
    lacking = [one for one, values in found.items() if values is None]
    read = pages.read(lacking) if lacking else {}
    held = {one: read[one] if values is None else values for one, values in found.items()}

    def parts(group: int, name: str, at: Sequence[int]) -> list[pa.Array]:
        if (group, name) in whole:
            return _cut(whole[group, name], at)
        return _cut_from_pages(chunks[group, name], group, name, at, held)

    return {
        name: [p for group, at in places.items() for p in parts(group, name, at)] for name in names
    }


def _cut(values: pa.Array, at: Sequence[int]) -> list[pa.Array]:
    """Some values: few of them are sooner cut out one by one."""
    if len(at) <= _CUT_MAX:
        return [values.slice(place, 1) for place in at]
    return [values.take(pa.array(at, pa.int64()))]


def _cut_from_pages(
    chunk: Chunk,
    group: int,
    name: str,
    at: Sequence[int],
    found: Mapping[PageAt, pa.Array],
) -> list[pa.Array]:
    """The same of a column chunk, of which the pages that have them are there."""
    numbers = list(map(chunk.page_of, at))
    firsts = chunk.firsts
    if len(at) <= _CUT_MAX:
        return [
            found[PageAt(name, group, number)].slice(row - firsts[number], 1)
            for row, number in zip(at, numbers, strict=True)
        ]
    pages = {number: found[PageAt(name, group, number)] for number in sorted(set(numbers))}
    before = dict(zip(pages, accumulate(map(len, pages.values()), initial=0), strict=False))
    places = [
        before[number] + row - firsts[number] for row, number in zip(at, numbers, strict=True)
    ]
    return [pa.concat_arrays(list(pages.values())).take(pa.array(places, pa.int64()))]

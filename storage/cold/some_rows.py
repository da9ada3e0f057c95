"""Columns of some rows of a segment: no more of them is decoded than the pages that these rows are in.

Where most pages of a column chunk are wanted, all of it is read: that takes less than page by page.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from storage.cold.pages import Chunk
from storage.cold.segment_pages import Asked, PageAt, Part, SegmentPages, Whole, plain

_CUT_MAX = 8


class SomeRows:
    """Some rows of a segment, and where their columns are.

    lacking: the parts that are not in memory. others: columns of row groups of which no pages are known, so
    that all of them is to be read, by what row groups lack.
    """

    def __init__(
        self, pages: SegmentPages, places: Mapping[int, Sequence[int]], names: Sequence[str]
    ) -> None:
        """Look what there is.

        Args:
            pages: Of the segment, which has these columns.
            places: The rows by row groups, as numbers within these.
            names: The columns.
        """
        self._pages = pages
        self._places = places
        self._names = names
        self._found: dict[Part, pa.Array] = {}
        self._chunks: dict[Whole, Chunk] = {}
        self.lacking: list[Asked] = []
        self.others: dict[tuple[str, ...], list[int]] = {}
        for group, at in places.items():
            others = tuple(name for name in names if not self._look(Whole(group, name), at))
            if others:
                self.others.setdefault(others, []).append(group)

    def _look(self, whole: Whole, at: Sequence[int]) -> bool:
        """Find the parts of a chunk with these rows. False: nothing is known of its pages."""
        pages = self._pages
        values = pages.kept(whole)
        if values is not None:
            self._found[whole] = values
            return True
        chunk = pages.chunk(*whole)
        if chunk is None:
            return False
        numbers = sorted(set(map(chunk.page_of, at)))
        if 2 * len(numbers) > len(chunk.firsts):
            self.lacking.append((pages, whole))
            return True
        self._chunks[whole] = chunk
        for number in numbers:
            part = PageAt(whole.name, whole.group, number)
            values = pages.kept(part)
            if values is None:
                self.lacking.append((pages, part))
            else:
                self._found[part] = values
        return True

    def give(self, found: Mapping[Asked, pa.Array], others: Mapping[Whole, pa.Array]) -> None:
        """What was lacking. others: what was read of `others`."""
        for asked in self.lacking:
            self._found[asked[1]] = found[asked]
        for whole, values in others.items():
            self._found[whole] = values

    def columns(self) -> dict[str, list[pa.Array]]:
        """The values by the columns' names, in arrays that follow each other. Nothing is lacking any more."""
        return {
            name: [
                part
                for group, at in self._places.items()
                for part in self._values(Whole(group, name), at)
            ]
            for name in self._names
        }

    def _values(self, whole: Whole, at: Sequence[int]) -> list[pa.Array]:
        chunk = self._chunks.get(whole)
        if chunk is not None:
            return self._of_pages(chunk, whole, at)
        values = self._found[whole]
        if len(at) <= _CUT_MAX:  # Few are sooner cut out one by one.
            return [plain(values.slice(place, 1)) for place in at]
        return [plain(values.take(pa.array(at, pa.int64())))]

    def _of_pages(self, chunk: Chunk, whole: Whole, at: Sequence[int]) -> list[pa.Array]:
        """Values of a column chunk, of which the pages that have them are there."""
        numbers, firsts = list(map(chunk.page_of, at)), chunk.firsts
        pages = {n: self._found[PageAt(whole.name, whole.group, n)] for n in sorted(set(numbers))}
        if len(at) <= _CUT_MAX:
            return [
                plain(pages[number].slice(row - firsts[number], 1))
                for row, number in zip(at, numbers, strict=True)
            ]
        rows: dict[int, list[int]] = {}
        places: dict[int, list[int]] = {}
        for place, (row, number) in enumerate(zip(at, numbers, strict=True)):
            rows.setdefault(number, []).append(row - firsts[number])
            places.setdefault(number, []).append(place)
        parts = [
            plain(pages[number].take(pa.array(own, pa.int64()))) for number, own in rows.items()
        ]
        order = back([place for own in places.values() for place in own])
        return parts if order is None else [pa.concat_arrays(parts).take(order)]


def back(places: Sequence[int]) -> pa.Array | None:
    """Where each is that was put behind each other in this order of places; None: where it was."""
    if all(at == place for at, place in enumerate(places)):
        return None
    order = sorted(range(len(places)), key=places.__getitem__)
    return pa.array(order, pa.int64())

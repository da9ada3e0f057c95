"""The order in which PostgreSQL's sort leaves rows that tie, for few rows.

SQL says nothing about it, and a stable sort is as good; but window functions by place (row_number, lag,
first_value …) answer by it, and who has compared with PostgreSQL expects what it says. Its sort in memory
is the quicksort of Bentley and McIlroy ("Engineering a Sort Function", 1993), with a look at whether the
input is in order already.
"""

from collections.abc import Sequence

ROWS_MAX = 256
"""Of more rows the order of those that tie is that in which they came: this costs a microsecond for each
comparison.
"""

ROWS_MIN = 7
"""Fewer rows are sorted by insertion, there too."""

_NINTHER = 40


def as_postgresql(ranks: list[int]) -> Sequence[int]:
    """Where the rows of each place are found, for rows of these ranks: equal ones tie."""
    rows = [*enumerate(ranks)]
    pending = [(0, len(rows))]
    while pending:
        start, end = pending.pop()
        if end - start < ROWS_MIN:
            # Few: by insertion, which leaves those that tie as they are.
            rows[start:end] = sorted(rows[start:end], key=_rank)
        elif not _in_order(rows, start, end):
            less, greater = _parted(rows, start, end)
            pending += [(start, start + less), (end - greater, end)]
    return [at for at, _ in rows]


def _rank(row: tuple[int, int]) -> int:
    return row[1]


def _in_order(rows: list[tuple[int, int]], start: int, end: int) -> bool:
    return all(rows[at - 1][1] <= rows[at][1] for at in range(start + 1, end))


def _parted(rows: list[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """Part rows by one of them: how many are less, and stand first, and how many are greater, and last.

    Those equal to it are gathered at both ends, and then put into the middle.
    """
    pivot = _pivot(rows, start, end)
    rows[start], rows[pivot] = rows[pivot], rows[start]
    middle = rows[start][1]
    equal_left = left = start + 1
    equal_right = right = end - 1
    while True:
        while left <= right and rows[left][1] <= middle:
            if rows[left][1] == middle:
                rows[equal_left], rows[left] = rows[left], rows[equal_left]
                equal_left += 1
            left += 1
        while left <= right and rows[right][1] >= middle:
            if rows[right][1] == middle:
                rows[right], rows[equal_right] = rows[equal_right], rows[right]
                equal_right -= 1
            right -= 1
        if left > right:
            break
        rows[left], rows[right] = rows[right], rows[left]
        left += 1
        right -= 1
    less, greater = left - equal_left, equal_right - right
    _exchange(rows, start, left, min(equal_left - start, less))
    _exchange(rows, left, end, min(greater, end - equal_right - 1))
    return less, greater


def _exchange(rows: list[tuple[int, int]], first: int, end: int, count: int) -> None:
    """Swap the first ones of a part with its last ones."""
    last = end - count
    head, tail = rows[first : first + count], rows[last:end]
    rows[first : first + count] = tail
    rows[last:end] = head


def _pivot(rows: list[tuple[int, int]], start: int, end: int) -> int:
    """The middle one; the median of three, or of three medians of many."""
    count = end - start
    low, middle, high = start, start + count // 2, end - 1
    if count == ROWS_MIN:
        return middle
    if count > _NINTHER:
        step = count // 8
        low = _median(rows, low, low + step, low + 2 * step)
        middle = _median(rows, middle - step, middle, middle + step)
        high = _median(rows, high - 2 * step, high - step, high)
    return _median(rows, low, middle, high)


def _median(rows: list[tuple[int, int]], a: int, b: int, c: int) -> int:
    x, y, z = rows[a][1], rows[b][1], rows[c][1]
    if x < y:
        return b if y < z else c if x < z else a
    return b if y > z else a if x < z else c

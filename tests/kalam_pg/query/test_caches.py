"""Caches are bounded by what they hold, not only by how many."""

from hypothesis import given
from hypothesis import strategies as st

from catalog.memo import kept
from catalog.types.registry import INT4
from catalog.types.table import TypeContext
from kalam_pg.query.lru import Lru, cost
from kalam_pg.query.prepare import RESTING_BYTES, StatementCache
from kalam_pg.rows.form import KEPT_WIDTH_MAX, described
from kalam_pg.sql.tree import OutputColumn
from kalam_pg.wire.portals import parameter_readers


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 60)), max_size=40))
def test_an_lru_keeps_the_newest_that_fit(puts):
    lru: Lru[int, int] = Lru(5, 100)
    model: list[tuple[int, int]] = []
    for key, weight in puts:
        lru.put(key, weight, weight)
        model = [(k, w) if k != key else (key, weight) for k, w in model]
        if key not in dict(model):
            model.append((key, weight))
        while len(model) > 5 or sum(w for _, w in model) > 100:
            model.pop(0)
        assert [k for k in range(10) if k in lru] == sorted(dict(model))
        assert lru.cost == sum(w for _, w in model)


def test_what_was_used_in_neither_of_two_periods_is_forgotten_a_few_at_a_time():
    lru: Lru[int, int] = Lru(100, 1000)
    for key in range(10):
        lru.put(key, key, 10)
    lru.next_period()
    assert not lru.forget_unused(100, 0)  # They were used in the period before.
    assert lru.get(3) == 3
    lru.put(10, 10, 10)
    lru.next_period()
    assert lru.forget_unused(4, 0)
    assert [key for key in range(11) if key in lru] == [3, 5, 6, 7, 8, 9, 10]
    assert not lru.forget_unused(100, 60)  # Few are kept, used or not.
    assert [key for key in range(11) if key in lru] == [3, 6, 7, 8, 9, 10]
    assert not lru.forget_unused(100, 0)
    assert [key for key in range(11) if key in lru] == [3, 10]
    assert lru.cost == 20


async def test_statements_that_nobody_uses_are_forgotten_at_rest():
    cache = StatementCache(lambda _query, _x: iter(()))
    texts = [f"SELECT {n}" + ", 1" * 100 for n in range(200)]
    for text in texts:
        cache.statements(text)
    await cache.rest()
    assert all(cache.knows(text) for text in texts)
    cache.statements(texts[0])
    await cache.rest()
    assert cache.knows(texts[0])
    assert not cache.knows(texts[1])
    assert cache._parsed.cost <= RESTING_BYTES


def test_parsed_texts_are_forgotten_when_they_hold_too_much():
    cache = StatementCache(lambda _query, _x: iter(()), 4096, 1 << 20)
    texts = [f"SELECT {n}" + ", 1" * 300 for n in range(20)]
    for text in texts:
        cache.statements(text)
    assert not cache.knows(texts[0])
    assert cache.knows(texts[-1])
    assert cache._parsed.cost <= 1 << 20
    assert cost(texts[0]) > 100 * len(texts[0])


def test_a_literal_costs_what_it_is_long():
    assert cost("SELECT '" + "x" * 100_000 + "'") - cost("SELECT ''") == 100_000


def test_an_answer_for_a_long_text_is_not_kept():
    asked: list[str] = []

    @kept(10, 5)
    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    assert [length("short"), length("short"), length("longer"), length("longer")] == [5, 5, 6, 6]
    assert asked == ["short", "longer", "longer"]


def test_what_is_made_of_many_columns_or_parameters_is_not_kept():
    for width in (KEPT_WIDTH_MAX, KEPT_WIDTH_MAX + 1):
        columns = tuple(OutputColumn(f"c{n}", INT4) for n in range(width))
        formats = (0,) * width
        same = described(columns, formats) is described(columns, formats)
        assert same == (width == KEPT_WIDTH_MAX)
        types = (INT4,) * width
        readers = [parameter_readers(types, (), TypeContext()) for _ in range(2)]
        assert (readers[0] is readers[1]) == (width == KEPT_WIDTH_MAX)

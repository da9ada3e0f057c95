"""What the engine's tests share: short ways to write, read and open."""

from dataclasses import dataclass, field

import pyarrow as pa

from storage.engine import Engine, StorageOptions, Write, WriteSet
from storage.ids import TabletId
from storage.keys import encode_key, meta_key
from storage.layout import Column, Layout
from storage.log.hot import HotOptions
from storage.log.log_entry import Op
from storage.log.recovery import intent_key
from storage.readings import Readings

TABLET = TabletId(7, 3)
OTHER = TabletId(8, 3)
LAYOUT = Layout(
    1, (Column(1, "id", "int", pa.int64()), Column(2, "body", "text", pa.string())), (0,)
)
OPTIONS = StorageOptions(
    reserve_bytes=0,
    low_water_bytes=0,
    hot=HotOptions(write_buffer_bytes=256 << 10, cache_bytes=1 << 20),
)


class ManualClock:
    """A clock that says what it is told."""

    def __init__(self, us=1_750_000_000_000_000):
        self.us = us

    def now_us(self):
        return self.us


@dataclass
class FakeTablet:
    """Remembers what was appended."""

    id: TabletId
    layout: Layout
    appended: list = field(default_factory=list)
    tail_bytes: int = 0
    readings: Readings = field(default_factory=lambda: Readings({}, None))

    def append(self, seq, writes):
        self.appended.append((seq, [write.row for write in writes]))

    def drop_tails(self):
        pass


def open_engine(path, **how):
    """An engine with small buffers and fake tablets."""
    how.setdefault("options", OPTIONS)
    how.setdefault("tablet_factory", lambda tablet, layout, *_: FakeTablet(tablet, layout))
    return Engine.open(path, **how)


def key_of(number):
    return encode_key((number,), ("int",))


def insert(number, body="", *, tablet=TABLET, assumed=0):
    return Write(tablet, Op.INSERT, key_of(number), (number, body), None, 1, assumed)


def update(number, body, old, *, tablet=TABLET, assumed=None):
    return Write(tablet, Op.UPDATE, key_of(number), (number, body), (number, old), 1, assumed)


def delete(number, old, *, tablet=TABLET, assumed=None):
    return Write(tablet, Op.DELETE, key_of(number), (number, old), (number, old), 1, assumed)


def truncate(*, tablet=TABLET):
    return Write(tablet, Op.TRUNCATE, b"", (), None, 1)


def write_set(*writes, sync=False, system=(), streams=(), validate=None):
    return WriteSet(list(writes), list(streams), list(system), sync, validate)


def commit(engine, *writes, **how):
    """Write and publish one set alone; returns its seq, or raises its error."""
    one = write_set(*writes, **how)
    engine.publish(engine.write_group([one]))
    if one.error is not None:
        raise one.error
    return one.seq


def end_flush(engine, tablet, note, *others):
    """What the end of a flush commits, with `others` after it in one group."""
    system = [(intent_key(tablet), None), (meta_key(tablet), note.pack())]
    one = write_set(system=system)
    one.validate = lambda _seq: one.system.append(engine.flushed_put(tablet, note.flushed_through))
    engine.publish(engine.write_group([one, *others]))


def read(engine_or_view, number, *, tablet=TABLET):
    """The body of a row, None when there is none."""
    view = engine_or_view.current if isinstance(engine_or_view, Engine) else engine_or_view
    version = view.find(tablet, key_of(number))
    return None if version is None or version.op is Op.DELETE else version.row[1]

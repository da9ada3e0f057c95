"""A log, its index and its views in memory: what tablets, flush and trim need of the engine."""

from dataclasses import dataclass, field

from storage.cold.directories import Directories
from storage.cold.kept_manifests import Reads
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.keys import log_key, meta_key
from storage.layout import Row
from storage.log.log_entry import Op, decode_entry, encode_entry
from storage.log.manifest_note import unpack_note
from storage.log.retained import RETAINED
from storage.log.view import Version

TABLET = TabletId(7, 3)


@dataclass
class Write:
    """As `storage.engine.Write`, as far as a tablet looks."""

    op: Op
    key: bytes
    row: Row
    old: Row | None
    version: int = 1
    size: int = 0


class FakeView:
    """A copy of the log and index at one commit."""

    def __init__(self, seq, engine):
        self.seq = seq
        self.reads = {}
        self._engine = engine
        self._entries = dict(engine.entries)
        self._index = dict(engine.index)
        self._system = dict(engine.system)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.release()

    def release(self):
        self._engine.views.remove(self.seq)

    def system_get(self, key):
        return self._system.get(key)

    def find(self, tablet, key, _large=None):
        assert tablet == TABLET
        where = self._index.get(key)
        if where is None:
            return None
        entry = decode_entry(self._entries[where])
        return Version(*where, entry.op, entry.row, entry.version, entry.old)

    def keys(self, tablet, low, high):
        assert tablet == TABLET
        for key in sorted(self._index):
            if (low is None or low <= key) and (high is None or key < high):
                yield key

    def known(self, tablet, keys):
        assert tablet == TABLET
        return [b"there" if key in self._index else None for key in keys]

    def scan(self, start, stop):
        for (seq, n), data in sorted(self._entries.items()):
            key = log_key(TABLET, seq, n)
            if start <= key < stop:
                yield key, data

    def log(self, tablet, after=0, *, upto=None, reverse=False):
        assert tablet == TABLET
        last = self.seq if upto is None else min(upto, self.seq)
        for (seq, n), data in sorted(self._entries.items(), reverse=reverse):
            if after < seq <= last:
                yield seq, n, data


@dataclass
class FakeEngine:
    """The host of one tablet. `commit` publishes at once; `views` are the seqs of open views."""

    fs: FileSystem
    seq: int = 0
    entries: dict = field(default_factory=dict)
    index: dict = field(default_factory=dict)
    system: dict = field(default_factory=dict)
    directories: Directories = field(default_factory=Directories)
    views: list = field(default_factory=list)
    intents: dict = field(default_factory=dict)
    hints: list = field(default_factory=list)
    tablet: object = None

    def commit(self, *writes: Write) -> int:
        self.seq += 1
        for n, write in enumerate(writes):
            self.entries[self.seq, n] = encode_entry(write.op, write.version, write.row, write.old)
            if write.op != Op.TRUNCATE:
                self.index[write.key] = (self.seq, n)
        if self.tablet is not None:
            self.tablet.append(self.seq, writes)
        return self.seq

    def view(self):
        return FakeView(self.seq, self)

    def acquire(self):
        self.views.append(self.seq)
        return self.view()

    def check(self):
        pass

    def run_on_loop(self, call):
        return call()

    def call_soon(self, call):
        call()

    def unflushed(self, tablet):
        return 0

    def begin_flush(self, tablets, seq):
        self.intents.update(dict.fromkeys(tablets, seq))

    def before_manifest(self):
        pass

    def noted(self, tablet):
        return unpack_note(self.system.get(meta_key(tablet)))

    def note(self, manifests, ended):
        for tablet in ended:
            self.intents.pop(tablet, None)
        for manifest in manifests:
            self.system[meta_key(manifest.tablet)] = manifest.note.pack()
            self.hints.append(manifest.flushed_through)

    def end_flush(self, flushed):
        pass

    def cancel_flush(self, tablets):
        for tablet in tablets:
            self.intents.pop(tablet, None)

    def exists(self, tablet):
        return True

    def opened(self, tablet):
        return self.tablet

    def reads(self, tablet):
        return Reads((*self.views, self.seq), (), self.noted(tablet))

    def flushed_through(self, tablets):
        oldest = min([*self.views, self.seq])
        return [max((hint for hint in self.hints if hint <= oldest), default=0) for _ in tablets]

    def delete_entries(self, cuts):
        for tablet, entries, retained in cuts:
            assert tablet == TABLET
            for seq, n, key in entries:
                del self.entries[seq, n]
                if key is not None and self.index.get(key) == (seq, n):
                    del self.index[key]
            self.system[meta_key(tablet, RETAINED)] = retained.pack()

    def trimmed(self, tablet, through):
        self.tablet.trimmed(through)

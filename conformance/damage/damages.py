"""What can befall the files of a tablet: at random, or aimed at what readers trust."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from storage.cold import index_file

Damage = Callable[[Path], None]

INDEX = index_file.PREFIX


class NothingToDamageError(Exception):
    """The tablet has no such file: small ones have their key filters in the manifest."""


@dataclass(frozen=True, slots=True)
class Aimed:
    """A damage to one tablet's directory. what: in words."""

    what: str
    do: Damage


def at_random(random: Random) -> Aimed:
    """A change of one file, anywhere."""
    seed = random.getrandbits(32)
    kind = random.choice(("bit", "bit", "bit", "byte", "zeros", "cut", "longer", "lost"))

    def do(directory: Path) -> None:
        own = Random(seed)
        found = sorted(directory.iterdir())
        if kind == "lost":
            found = [path for path in found if INDEX not in path.name]  # That is made anew.
        path = own.choice(found)
        data = bytearray(path.read_bytes())
        at = own.randrange(len(data))
        if kind == "bit":
            data[at] ^= 1 << own.randrange(8)
        elif kind == "byte":
            data[at] = (data[at] + own.randrange(1, 256)) % 256
        elif kind == "zeros":
            data[at : at + 16] = bytes(b ^ 0xFF for b in data[at : at + 16])
        elif kind == "cut":
            del data[at:]
        elif kind == "longer":
            data += b"\0"
        path.unlink()
        if kind != "lost":
            path.write_bytes(data)

    return Aimed(f"{kind} at random ({seed})", do)


def aimed(older: Path, others: list[Path]) -> Iterator[Aimed]:
    """Those that are aimed. older: cold files of an earlier time; others: other tablets' directories."""
    for rehash in (False, True):
        yield from _fields(rehash)
    yield from _whole_files()
    yield Aimed("the newest manifest is lost", lambda d: newest_manifest(d).unlink())
    yield Aimed("the directory is lost", shutil.rmtree)
    yield Aimed("the directory of the user's table is empty", _emptied)
    yield Aimed("an older copy of the directory is put back", lambda d: _put_back(d, older))
    yield Aimed("an older manifest has the newest one's name", lambda d: _older_manifest(d, older))
    for kind in (".parquet", ".keys", INDEX):
        yield Aimed(f"two {kind} are swapped", lambda d, kind=kind: _swapped(d, kind))
        yield Aimed(
            f"a {kind} is another tablet's", lambda d, kind=kind: _foreign(d, others[0], kind)
        )
    yield Aimed("the manifest is another tablet's", lambda d: _foreign_manifest(d, others[1]))
    yield Aimed("all files are another tablet's", lambda d: _all_foreign(d, others[2]))


def newest_manifest(directory: Path) -> Path:
    """The tablet's newest."""
    return max(directory.glob("manifest-*"))


def _fields(rehash: bool) -> Iterator[Aimed]:
    """Each field of the newest manifest, changed a little; with a hash that fits, or without."""
    how = " with a hash that fits" if rehash else ""
    top = ("format", "user", "table", "incarnation", "version", "schema_version")
    for name in (*top, "flushed_through", "previous_sha256", "sha256"):
        if name != "sha256" or not rehash:
            yield Aimed(f"{name} is changed{how}", _field((name,), rehash=rehash))
    segment = ("file", "rows", "bytes", "sha256", "min_seq", "max_seq", "min_key", "max_key")
    for number in (0, -1):
        for name in (*segment, "deleted", "superseded", "key_filter", "keys", "continues"):
            where = ("segments", number, name)
            yield Aimed(f"{name} of segment {number} is changed{how}", _field(where, rehash=rehash))
        for name in ("min", "max", "nulls"):
            where = ("segments", number, "columns", "c2", name)
            what = f"{name} of a column of segment {number} is changed{how}"
            yield Aimed(what, _field(where, rehash=rehash))
        yield Aimed(f"segment {number} is left out{how}", _left_out(number, rehash=rehash))


def _field(where: tuple[str | int, ...], *, rehash: bool) -> Damage:
    def do(directory: Path) -> None:
        path = newest_manifest(directory)
        document = json.loads(path.read_bytes())
        inner = document
        for step in where[:-1]:
            inner = inner[step]
        inner[where[-1]] = _other(inner[where[-1]])
        _write(path, document, rehash=rehash)

    return do


def _left_out(number: int, *, rehash: bool) -> Damage:
    def do(directory: Path) -> None:
        path = newest_manifest(directory)
        document = json.loads(path.read_bytes())
        del document["segments"][number]
        if document["segments"]:
            document["segments"][0]["continues"] = False
        _write(path, document, rehash=rehash)

    return do


def _other(value: object) -> object:
    """Something like the value, and not the value."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value - 1 if value > 1 else value + 1
    text = str(value or "")
    if text.isdigit():
        return str(int(text) + 1)
    return text[:-1] + ("0" if text[-1:] != "0" else "1")


def _write(path: Path, document: dict[str, object], *, rehash: bool) -> None:
    said = document.pop("sha256")
    text = json.dumps(document, indent=1).removesuffix("\n}").encode()
    if rehash:
        said = hashlib.sha256(text).hexdigest()
    path.unlink()
    path.write_bytes(text + f',\n "sha256": "{said}"\n}}'.encode())


def _whole_files() -> Iterator[Aimed]:
    for kind in ("manifest", ".parquet", ".keys", INDEX):
        for how, change in _CHANGES.items():
            if (kind, how) == (INDEX, "is lost"):
                continue  # No damage: it is made anew.

            def do(
                directory: Path, kind: str = kind, change: Callable[[bytes], bytes | None] = change
            ) -> None:
                path = _files(directory, kind)[-1]
                data = change(path.read_bytes())
                path.unlink()
                if data is not None:
                    path.write_bytes(data)

            yield Aimed(f"a {kind} {how}", do)


_CHANGES: dict[str, Callable[[bytes], bytes | None]] = {
    "is empty": lambda _: b"",
    "has half of its bytes": lambda data: data[: len(data) // 2],
    "lacks its last byte": lambda data: data[:-1],
    "has one byte more": lambda data: data + b"\0",
    "is all zeros": lambda data: bytes(len(data)),
    "begins otherwise": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "ends otherwise": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "is lost": lambda _: None,
}


def _files(directory: Path, kind: str, least: int = 1) -> list[Path]:
    """Those of a kind in order. Raises NothingToDamageError when there are fewer than `least`."""
    found = sorted(path for path in directory.iterdir() if kind in path.name)
    if len(found) < least:
        raise NothingToDamageError
    return found


def _place_in(directory: Path, cold: Path) -> Path:
    """The same tablet's directory in another tree of cold files."""
    return cold / directory.parent.name / directory.name


def _emptied(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def _put_back(directory: Path, older: Path) -> None:
    shutil.rmtree(directory)
    shutil.copytree(_place_in(directory, older), directory)


def _older_manifest(directory: Path, older: Path) -> None:
    newest = newest_manifest(directory)
    data = newest_manifest(_place_in(directory, older)).read_bytes()
    for path in _place_in(directory, older).iterdir():
        if not (directory / path.name).exists() and "manifest" not in path.name:
            shutil.copy(path, directory)
    newest.write_bytes(data)


def _swapped(directory: Path, kind: str) -> None:
    first, *_, last = _files(directory, kind, 2)
    one, other = first.read_bytes(), last.read_bytes()
    first.write_bytes(other)
    last.write_bytes(one)


def _check_another(directory: Path, other: Path) -> None:
    """A tablet's own file in its own place is no damage."""
    if directory.parts[-2:] == other.parts[-2:]:
        raise NothingToDamageError


def _foreign(directory: Path, other: Path, kind: str) -> None:
    _check_another(directory, other)
    own, theirs = _files(directory, kind)[0], _files(other, kind)[0]
    own.write_bytes(theirs.read_bytes())


def _foreign_manifest(directory: Path, other: Path) -> None:
    _check_another(directory, other)
    newest_manifest(directory).write_bytes(newest_manifest(other).read_bytes())


def _all_foreign(directory: Path, other: Path) -> None:
    _check_another(directory, other)
    shutil.rmtree(directory)
    shutil.copytree(other, directory)

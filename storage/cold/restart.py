"""What a start does about cold parts before anybody reads: what flushes and loads had begun when it ended."""

from pathlib import Path

from storage.cold import load
from storage.cold.directories import directory_of
from storage.cold.flush import clean
from storage.fs import FileSystem
from storage.log.hot import Put
from storage.log.recovery import Opened, intent_key


def settle(fs: FileSystem, cold: Path, opened: Opened) -> list[Put]:
    """Clean up after interrupted flushes, link what loads have committed; what the log is told of that.

    Raises:
        DiskFullError, IoError: The disk refuses.
        DataCorruptedError: A record of a load is not what was written.
    """
    puts: list[Put] = []
    for tablet in opened.intents:
        clean(fs, directory_of(cold, tablet))
        puts.append((intent_key(tablet), None))
    return puts + load.finish(fs, cold, opened.loads.items(), opened.store.get)

"""What the tests of the fork server have forked."""

import os
import signal
import socket
from pathlib import Path


def main(descriptors: list[int], arguments: list[str]) -> int:
    """arguments: what to do, then how."""
    (link,) = descriptors
    what, *how = arguments
    with socket.socket(fileno=link) as sock:
        match what:
            case "end":
                return int(how[0])
            case "exit":
                raise SystemExit(int(how[0]))
            case "fail":
                raise ValueError(how[0])
            case "die":
                os.kill(os.getpid(), int(how[0]))
            case "open files":
                mine = {0, 1, 2, link}
                others = [fd for fd in Path("/proc/self/fd").iterdir() if int(fd.name) not in mine]
                with_targets = [str(fd.readlink()) for fd in others if fd.is_symlink()]
                sock.sendall(repr(with_targets).encode())
            case "name":
                words = (
                    f"{Path('/proc/self/comm').read_text().strip()} {os.getpgid(0) == os.getpid()}"
                )
                sock.sendall(words.encode())
            case "wait":
                sock.sendall(b"here")
                signal.pause()
    return 0

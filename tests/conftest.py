"""What holds for all tests."""

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.wire.copies import Copies
from tests.wire.server import KalamServer

# A suite starts some 150 servers. Without compiled modules to read each would compile for a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("kalam", deadline=None)
settings.load_profile("kalam")


@pytest.fixture(scope="session", autouse=True)
def copies() -> Iterator[None]:
    """Most servers are copies: to import what each is made of took a quarter of a suite's time."""
    with Copies() as KalamServer.copies:
        yield
    KalamServer.copies = None

"""`kalam` with fake sessions: `python -m tests.kalam_pg.server.fake_kalam serve …`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

from kalam_pg.cli import main
from kalam_pg.config import Config
from kalam_pg.engines.forked import ForkServer
from tests.kalam_pg.server.fakes import FakeServices


@asynccontextmanager
async def open_services(config: Config, _forks: ForkServer) -> AsyncIterator[FakeServices]:
    config.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield FakeServices(scram=True)


if __name__ == "__main__":
    factory = ModuleType("kalam_pg.server.factory")
    factory.open_services = open_services  # type: ignore[attr-defined]
    sys.modules[factory.__name__] = factory
    main(prog_name="kalam")

"""BEGIN, SET TRANSACTION and their settings, beside PostgreSQL 15: what each says, and when it may."""

from collections.abc import Iterator

import pytest

from tests.wire.side_by_side import Side, both, differences

pytestmark = pytest.mark.slow

SHOWN = """
    SHOW transaction_isolation
    SHOW transaction_read_only
    SHOW transaction_deferrable
    SHOW default_transaction_isolation
    SHOW default_transaction_read_only
    SHOW default_transaction_deferrable
    SHOW TRANSACTION ISOLATION LEVEL
"""

SCRIPTS = {
    "levels": "\n".join(
        f"""
        BEGIN ISOLATION LEVEL {level}
        {SHOWN}
        COMMIT
        START TRANSACTION ISOLATION LEVEL {level}, READ ONLY, DEFERRABLE
        {SHOWN}
        ROLLBACK
        BEGIN
        SET TRANSACTION ISOLATION LEVEL {level} READ ONLY NOT DEFERRABLE
        {SHOWN}
        COMMIT AND CHAIN
        {SHOWN}
        ROLLBACK AND CHAIN
        {SHOWN}
        ROLLBACK
        {SHOWN}
        """
        for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
    ),
    "session characteristics": f"""
        SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE
        {SHOWN}
        BEGIN
        {SHOWN}
        COMMIT
        SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE
        {SHOWN}
    """,
    "settings": f"""
        SET default_transaction_isolation = serializable
        SET default_transaction_deferrable = on
        {SHOWN}
        BEGIN
        {SHOWN}
        SET LOCAL default_transaction_isolation TO 'repeatable read'
        {SHOWN}
        COMMIT
        SET transaction_isolation = 'serializable'
        RESET default_transaction_isolation
        RESET default_transaction_deferrable
        BEGIN
        SET transaction_isolation = 'serializable'
        SET transaction_deferrable = on
        SET transaction_read_only = on
        {SHOWN}
        COMMIT
        SET default_transaction_isolation = 'snapshot'
        SET transaction_isolation = 'snapshot'
        {SHOWN}
    """,
    "after a query": """
        BEGIN
        SELECT 1
        SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
        ROLLBACK
        BEGIN
        SELECT 1
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED
        SET TRANSACTION READ ONLY
        SET TRANSACTION READ WRITE
        ROLLBACK
        BEGIN
        SELECT 1
        SET TRANSACTION DEFERRABLE
        ROLLBACK
        BEGIN
        CREATE TABLE made (n int)
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ
        ROLLBACK
        BEGIN ISOLATION LEVEL SERIALIZABLE
        EXPLAIN (COSTS OFF) SELECT 1
        SET transaction_isolation = 'repeatable read'
        ROLLBACK
        BEGIN
        SET TRANSACTION READ ONLY
        SET TRANSACTION READ WRITE
        SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
        SHOW transaction_isolation
        SELECT 1
        SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
        COMMIT
        BEGIN ISOLATION LEVEL SERIALIZABLE
        SHOW transaction_isolation
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED
        SHOW transaction_isolation
        COMMIT
    """,
    "behind a savepoint": """
        BEGIN
        SAVEPOINT s
        SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
        ROLLBACK TO s
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED
        SET TRANSACTION DEFERRABLE
        ROLLBACK TO s
        SET TRANSACTION READ ONLY
        SET TRANSACTION READ WRITE
        ROLLBACK
    """,
    "outside a block": """
        SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
        SET TRANSACTION READ ONLY, DEFERRABLE
        SHOW transaction_isolation
    """,
    "writes": """
        CREATE TABLE w (n int PRIMARY KEY)
        BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY
        INSERT INTO w VALUES (1)
        ROLLBACK
        BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE
        SELECT count(*) FROM w
        COMMIT
        BEGIN ISOLATION LEVEL SERIALIZABLE
        INSERT INTO w VALUES (1), (2)
        SAVEPOINT s
        INSERT INTO w VALUES (2)
        ROLLBACK TO s
        UPDATE w SET n = 3 WHERE n = 2 RETURNING n
        DELETE FROM w WHERE n = 1
        INSERT INTO w VALUES (3) ON CONFLICT DO NOTHING
        SELECT n FROM w FOR UPDATE
        COMMIT
        SELECT n FROM w
        SET default_transaction_isolation = serializable
        INSERT INTO w VALUES (5)
        UPDATE w SET n = 6 WHERE n = 5
        SELECT sum(n) FROM w
        RESET default_transaction_isolation
    """,
}


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("modes")) as made:
        yield made


@pytest.mark.parametrize("name", SCRIPTS)
def test_modes_are_taken_shown_and_refused_as_by_postgresql(sides: tuple[Side, Side], name: str):
    assert differences(sides, SCRIPTS[name]) == []

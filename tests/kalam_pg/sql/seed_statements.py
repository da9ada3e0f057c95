"""The SQL examples of the five documents that the project grew from, as they stand there.

Each with the class it is read as; and, where it does not run, why: the subject that it waits for, or
what is wrong with it. The numbers are the documents': 0 the first generation, 1 the second, 2 the sketch,
3 today's walk-through (4 has no SQL). `\\subscribe` is written as the statement it sends.
"""

# ruff: noqa: E501 -- the statements stand as they were written

from typing import NamedTuple


class Example(NamedTuple):
    document: int
    text: str
    read_as: str
    waits_for: str = ""


SEED_STATEMENTS = [
    Example(0, "CREATE NAMESPACE app", "CreateNamespace"),
    Example(0, "DROP NAMESPACE app", "DropNamespace"),
    Example(
        0,
        """CREATE USER TABLE app.messages (
  id BIGINT,
  content TEXT,
  created_at TIMESTAMP
) FLUSH POLICY ROW_LIMIT 1000""",
        "CreateTable",
    ),
    Example(
        0,
        """CREATE SHARED TABLE app.analytics (
  event_name TEXT,
  count BIGINT,
  timestamp TIMESTAMP
) FLUSH POLICY TIME_INTERVAL 300""",
        "CreateTable",
    ),
    Example(
        0,
        """CREATE STREAM TABLE app.events (
  event_id TEXT,
  data TEXT
) RETENTION 10 EPHEMERAL MAX_BUFFER 5000""",
        "CreateTable",
    ),
    Example(0, "ALTER TABLE app.messages ADD COLUMN author TEXT", "AlterTable"),
    Example(0, "ALTER TABLE app.messages DROP COLUMN author", "AlterTable"),
    Example(
        0, "BACKUP DATABASE app TO '/backups/app-20251020'", "Unsupported", "backup and restore"
    ),
    Example(
        0, "RESTORE DATABASE app FROM '/backups/app-20251020'", "Unsupported", "backup and restore"
    ),
    Example(0, "SHOW TABLES IN app", "ShowCatalog"),
    Example(0, "DESCRIBE TABLE app.messages", "DescribeTable"),
    Example(0, "SHOW STATS FOR TABLE app.messages", "ShowStats"),
    Example(0, "CREATE NAMESPACE IF NOT EXISTS app", "CreateNamespace"),
    Example(
        0,
        "CREATE USER TABLE app.messages (id BIGINT, content TEXT, timestamp TIMESTAMP) FLUSH POLICY ROW_LIMIT 1000",
        "CreateTable",
    ),
    Example(
        0,
        "INSERT INTO app.messages (id, content, timestamp) VALUES (1, 'Hello World', NOW())",
        "QueryStatement",
    ),
    Example(0, "SELECT * FROM app.messages ORDER BY timestamp DESC LIMIT 10", "QueryStatement"),
    Example(
        0,
        "SELECT * FROM app.messages WHERE timestamp > NOW() - INTERVAL '5 minutes'",
        "QueryStatement",
    ),
    Example(
        1,
        """CREATE USER TABLE app.messages (
  id BIGINT DEFAULT SNOWFLAKE_ID(),
  content TEXT,
  timestamp TIMESTAMP DEFAULT NOW()
) FLUSH ROW_THRESHOLD 1000""",
        "CreateTable",
    ),
    Example(
        1,
        """SUBSCRIBE TO app.messages
WHERE timestamp > NOW() - INTERVAL '5 minutes'
OPTIONS (last_rows=10)""",
        "Subscribe",
    ),
    Example(
        1,
        """CREATE USER TABLE app.conversations (
  id BIGINT DEFAULT SNOWFLAKE_ID(),
  user_id TEXT DEFAULT CURRENT_USER(),
  message TEXT,
  created_at TIMESTAMP DEFAULT NOW()
) FLUSH ROW_THRESHOLD 1000""",
        "CreateTable",
    ),
    Example(
        1,
        """SELECT * FROM app.conversations
WHERE created_at > NOW() - INTERVAL '1 hour'
ORDER BY id DESC""",
        "QueryStatement",
    ),
    Example(
        1,
        "CREATE USER TABLE app.messages (...) FLUSH ROW_THRESHOLD 1000",
        "SqlSyntaxError",
        "its columns are left out",
    ),
    Example(
        1,
        "CREATE SHARED TABLE app.config (...) FLUSH ROW_THRESHOLD 100",
        "SqlSyntaxError",
        "its columns are left out",
    ),
    Example(
        1,
        "CREATE STREAM TABLE app.live_events (...) TTL 10",
        "SqlSyntaxError",
        "its columns are left out",
    ),
    Example(
        1,
        """CREATE USER TABLE app.logs (...)
FLUSH INTERVAL 300s ROW_THRESHOLD 5000""",
        "SqlSyntaxError",
        "its columns are left out",
    ),
    Example(
        1,
        """SUBSCRIBE TO chat.messages
WHERE room_id = 'general' AND timestamp > NOW() - INTERVAL '1 hour'
OPTIONS (last_rows=10)""",
        "Subscribe",
        "a table that its document makes later",
    ),
    Example(
        1,
        """CREATE STORAGE s3_prod
TYPE s3
PATH 's3://my-bucket/kalamdb/${namespace}/${user_id}'
CREDENTIALS '{"access_key_id": "...", "secret_access_key": "..."}'""",
        "Unsupported",
        "storages",
    ),
    Example(
        1,
        "CREATE USER TABLE app.messages (...) STORAGE s3_prod",
        "SqlSyntaxError",
        "its columns are left out",
    ),
    Example(1, "CREATE USER 'alice' WITH PASSWORD 'Secret123!' ROLE 'user'", "CreateUser"),
    Example(1, "CREATE USER 'backup_service' WITH PASSWORD 'Key456!' ROLE 'service'", "CreateUser"),
    Example(
        1,
        "CREATE USER 'db_admin' WITH PASSWORD 'Admin789!' ROLE 'dba' EMAIL 'admin@company.com'",
        "CreateUser",
    ),
    Example(
        1,
        "CREATE USER 'google_sync' WITH OAUTH PROVIDER 'google' SUBJECT 'sync@example.com' ROLE 'service'",
        "CreateUser",
    ),
    Example(1, "ALTER TABLE app.messages ADD COLUMN reaction TEXT", "AlterTable"),
    Example(1, "ALTER TABLE app.messages RENAME COLUMN content TO message_text", "AlterTable"),
    Example(
        1, "BACKUP DATABASE app TO '/backups/app-20251028'", "Unsupported", "backup and restore"
    ),
    Example(
        1, "RESTORE DATABASE app FROM '/backups/app-20251028'", "Unsupported", "backup and restore"
    ),
    Example(1, "SELECT * FROM system.users WHERE role = 'dba'", "QueryStatement"),
    Example(1, "ALTER USER 'alice' SET PASSWORD 'NewPassword456!'", "AlterUser"),
    Example(1, "DROP USER 'alice'", "DropUser"),
    Example(
        1,
        """CREATE USER TABLE chat.messages (
  id BIGINT DEFAULT SNOWFLAKE_ID(),
  room_id TEXT,
  content TEXT,
  timestamp TIMESTAMP DEFAULT NOW()
) FLUSH INTERVAL 300s ROW_THRESHOLD 1000""",
        "CreateTable",
    ),
    Example(
        1,
        """SUBSCRIBE TO chat.messages
WHERE room_id IN ('general', 'support')
OPTIONS (last_rows=50)""",
        "Subscribe",
    ),
    Example(
        1,
        """CREATE USER TABLE ai.conversations (
  id BIGINT DEFAULT SNOWFLAKE_ID(),
  conversation_id TEXT DEFAULT UUID_V7(),
  role TEXT,  -- 'user' or 'assistant'
  content TEXT,
  model TEXT,
  tokens INT,
  created_at TIMESTAMP DEFAULT NOW()
) FLUSH INTERVAL 600s ROW_THRESHOLD 5000""",
        "CreateTable",
    ),
    Example(
        1,
        """SELECT content, role, created_at
FROM ai.conversations
WHERE conversation_id = '018b6e8a-07d1-7000-8000-0123456789ab'
  AND created_at > NOW() - INTERVAL '1 hour'
ORDER BY created_at ASC""",
        "QueryStatement",
    ),
    Example(
        1,
        """CREATE SHARED TABLE docs.content (
  doc_id TEXT,
  version INT,
  content TEXT,
  author TEXT DEFAULT CURRENT_USER(),
  updated_at TIMESTAMP DEFAULT NOW()
) FLUSH INTERVAL 60s""",
        "CreateTable",
    ),
    Example(
        1,
        """CREATE STREAM TABLE docs.presence (
  doc_id TEXT,
  user_id TEXT,
  cursor_position INT,
  last_seen TIMESTAMP DEFAULT NOW()
) TTL 5""",
        "CreateTable",
    ),
    Example(
        1,
        """SUBSCRIBE TO docs.content
WHERE doc_id = 'project-proposal'
OPTIONS (last_rows=1)""",
        "Subscribe",
    ),
    Example(
        1,
        """CREATE STREAM TABLE iot.sensor_data (
  sensor_id TEXT,
  temperature DOUBLE,
  humidity DOUBLE,
  timestamp TIMESTAMP DEFAULT NOW()
) TTL 10""",
        "CreateTable",
    ),
    Example(
        1,
        """CREATE SHARED TABLE iot.metrics (
  sensor_id TEXT,
  avg_temp DOUBLE,
  max_temp DOUBLE,
  min_temp DOUBLE,
  hour TIMESTAMP
) FLUSH INTERVAL 3600s""",
        "CreateTable",
    ),
    Example(
        1,
        """SUBSCRIBE TO iot.sensor_data
WHERE temperature > 80.0 OR humidity > 95.0""",
        "Subscribe",
    ),
    Example(
        1,
        """CREATE USER TABLE app.user_data (
  id BIGINT DEFAULT SNOWFLAKE_ID(),
  data_type TEXT,
  content TEXT,
  created_by TEXT DEFAULT CURRENT_USER(),
  created_at TIMESTAMP DEFAULT NOW()
) FLUSH INTERVAL 300s""",
        "CreateTable",
    ),
    Example(
        1,
        """CREATE USER TABLE saas.customer_data (
  id BIGINT DEFAULT SNOWFLAKE_ID(),
  customer_id TEXT DEFAULT CURRENT_USER(),
  entity_type TEXT,
  entity_data TEXT,
  created_at TIMESTAMP DEFAULT NOW()
) FLUSH INTERVAL 600s ROW_THRESHOLD 10000""",
        "CreateTable",
    ),
    Example(
        1,
        """CREATE SHARED TABLE saas.analytics (
  metric_name TEXT,
  metric_value DOUBLE,
  tenant_id TEXT,
  timestamp TIMESTAMP DEFAULT NOW()
) FLUSH INTERVAL 3600s""",
        "CreateTable",
    ),
    Example(
        1, "CREATE USER 'tenant_acme' WITH PASSWORD 'SecureKey123!' ROLE 'service'", "CreateUser"
    ),
    Example(
        2,
        "SELECT * FROM user_alice.messages WHERE conversation_id = 'conv_123' LIMIT 50",
        "QueryStatement",
    ),
    Example(
        2,
        "INSERT INTO conversations (conversation_id, conversation_type, from, content, metadata) VALUES ('conv_123', 'ai', 'user_alice', 'Hello AI!', '{\"role\":\"user\"}')",
        "SqlSyntaxError",
        "FROM is a reserved word in PostgreSQL",
    ),
    Example(3, "CREATE NAMESPACE IF NOT EXISTS chat", "CreateNamespace"),
    Example(
        3,
        """CREATE TABLE chat.conversations (
  id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
  title TEXT NOT NULL,
  created_at TIMESTAMP DEFAULT NOW()
) WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:1000')""",
        "CreateTable",
    ),
    Example(
        3,
        """CREATE TABLE chat.messages (
  id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
  conversation_id BIGINT NOT NULL,
  role_id TEXT NOT NULL,
  content TEXT NOT NULL,
  created_at TIMESTAMP DEFAULT NOW()
) WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:1000')""",
        "CreateTable",
    ),
    Example(
        3,
        """CREATE TABLE chat.typing_events (
  id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
  conversation_id BIGINT NOT NULL,
  user_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  created_at TIMESTAMP DEFAULT NOW()
) WITH (TYPE = 'STREAM', TTL_SECONDS = 30)""",
        "CreateTable",
    ),
    Example(
        3,
        "INSERT INTO chat.conversations (id, title) VALUES (1, 'Chat with AI About KalamDB')",
        "QueryStatement",
    ),
    Example(
        3,
        """INSERT INTO chat.messages (conversation_id, role_id, content) VALUES
  (1, 'user', 'Hello, AI!'),
  (1, 'assistant', 'Hi! How can I help you today?')""",
        "QueryStatement",
    ),
    Example(
        3,
        """SELECT id, role_id, content, created_at
FROM chat.messages
WHERE conversation_id = 1
ORDER BY created_at ASC""",
        "QueryStatement",
    ),
    Example(
        3,
        """INSERT INTO chat.typing_events (conversation_id, user_id, event_type)
VALUES (1, 'user_123', 'typing')""",
        "QueryStatement",
    ),
    Example(
        3,
        """INSERT INTO chat.typing_events (conversation_id, user_id, event_type)
VALUES (1, 'ai_model', 'thinking')""",
        "QueryStatement",
    ),
    Example(
        3,
        """INSERT INTO chat.typing_events (conversation_id, user_id, event_type)
VALUES (1, 'ai_model', 'cancelled')""",
        "QueryStatement",
    ),
    Example(
        3,
        "SUBSCRIBE SELECT * FROM chat.typing_events WHERE conversation_id = 1 OPTIONS (last_rows=50)",
        "Subscribe",
    ),
    Example(
        3,
        "SUBSCRIBE SELECT * FROM chat.messages WHERE conversation_id = 1 OPTIONS (last_rows=20)",
        "Subscribe",
    ),
    Example(
        3,
        """CREATE TABLE docs.content (
  doc_id TEXT PRIMARY KEY,
  version INT,
  content TEXT,
  author TEXT DEFAULT CURRENT_USER(),
  updated_at TIMESTAMP DEFAULT NOW()
) WITH (TYPE = 'SHARED', FLUSH_POLICY = 'interval:60')""",
        "CreateTable",
    ),
    Example(
        3,
        """CREATE TABLE docs.presence (
  doc_id TEXT PRIMARY KEY,
  user_id TEXT,
  cursor_position INT,
  last_seen TIMESTAMP DEFAULT NOW()
) WITH (TYPE = 'STREAM', TTL_SECONDS = 5)""",
        "CreateTable",
    ),
    Example(
        3,
        """CREATE TABLE iot.sensor_data (
  sensor_id TEXT PRIMARY KEY,
  temperature DOUBLE,
  humidity DOUBLE,
  timestamp TIMESTAMP DEFAULT NOW()
) WITH (TYPE = 'STREAM', TTL_SECONDS = 10)""",
        "CreateTable",
    ),
    Example(
        3,
        """CREATE TABLE iot.metrics (
  sensor_id TEXT PRIMARY KEY,
  avg_temp DOUBLE,
  max_temp DOUBLE,
  min_temp DOUBLE,
  hour TIMESTAMP
) WITH (TYPE = 'SHARED', FLUSH_POLICY = 'interval:3600')""",
        "CreateTable",
    ),
    Example(
        3,
        """CREATE TABLE app.user_data (
  id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
  data_type TEXT,
  content TEXT,
  created_by TEXT DEFAULT CURRENT_USER(),
  created_at TIMESTAMP DEFAULT NOW()
) WITH (TYPE = 'USER', FLUSH_POLICY = 'interval:300')""",
        "CreateTable",
    ),
    Example(
        3,
        """CREATE TABLE saas.customer_data (
  id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
  customer_id TEXT DEFAULT CURRENT_USER(),
  entity_type TEXT,
  entity_data TEXT,
  created_at TIMESTAMP DEFAULT NOW()
) WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:10000,interval:600')""",
        "CreateTable",
    ),
    Example(
        3,
        """CREATE TABLE saas.analytics (
  id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
  metric_name TEXT,
  metric_value DOUBLE,
  tenant_id TEXT,
  timestamp TIMESTAMP DEFAULT NOW()
) WITH (TYPE = 'SHARED', FLUSH_POLICY = 'interval:3600')""",
        "CreateTable",
    ),
    Example(
        3,
        "SELECT * FROM chat.messages WHERE conversation_id = 1 ORDER BY created_at DESC",
        "QueryStatement",
    ),
    Example(3, "SELECT * FROM chat.messages LIMIT 10", "QueryStatement"),
]

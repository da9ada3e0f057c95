-- Once, as root: psql -h "$PWD/data" -p 5433 kalam -f docs/examples/chat/schema.sql
CREATE NAMESPACE talk;

CREATE TABLE talk.messages (
  id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
  room TEXT NOT NULL,
  author TEXT NOT NULL,
  body TEXT NOT NULL,
  sent_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
) WITH (TYPE = 'SHARED', FLUSH_POLICY = 'rows:1000,interval:300');

-- Who is typing is kept for some seconds in memory, and nowhere else.
CREATE TABLE talk.typing (
  id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
  room TEXT NOT NULL,
  author TEXT NOT NULL
) WITH (TYPE = 'STREAM', SCOPE = 'SHARED', TTL_SECONDS = 10);

GRANT SELECT, INSERT ON talk.messages, talk.typing TO PUBLIC;

CREATE USER alice WITH PASSWORD 'a password';
CREATE USER bob WITH PASSWORD 'a password';

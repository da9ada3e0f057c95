CREATE NAMESPACE bench;
CREATE USER TABLE bench.events (
    id bigint PRIMARY KEY,
    conversation_id bigint NOT NULL,
    author text,
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (FLUSH_POLICY = 'rows:100000000');
CREATE USER TABLE bench.messages (
    id bigint PRIMARY KEY,
    conversation_id bigint NOT NULL,
    author text,
    content text NOT NULL,
    score double precision,
    created_at timestamptz NOT NULL
) WITH (FLUSH_POLICY = 'rows:100000000');
CREATE USER TABLE bench.entries (
    id bigint PRIMARY KEY,
    code bigint UNIQUE,
    content text NOT NULL
) WITH (FLUSH_POLICY = 'rows:100000000');

-- The tables as PostgreSQL has them: `messages`, which is read, belongs to its users by row level
-- security on a user column and has the indexes of its two reads; `events`, which is only written, and
-- `entries`, which are changed, are the plainest tables there can be.
CREATE SCHEMA bench;
CREATE TABLE bench.events (
    id bigint PRIMARY KEY,
    conversation_id bigint NOT NULL,
    author text,
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE bench.messages (
    user_name text COLLATE "C" NOT NULL DEFAULT current_user::text,
    id bigint NOT NULL,
    conversation_id bigint NOT NULL,
    author text,
    content text NOT NULL,
    score double precision,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_name, id)
);
CREATE INDEX ON bench.messages (user_name, conversation_id, created_at);
ALTER TABLE bench.messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON bench.messages USING (user_name = current_user::text) WITH CHECK (user_name = current_user::text);
CREATE TABLE bench.entries (
    id bigint PRIMARY KEY,
    code bigint UNIQUE,
    content text NOT NULL
);
GRANT USAGE ON SCHEMA bench TO bench;
GRANT ALL ON ALL TABLES IN SCHEMA bench TO bench;

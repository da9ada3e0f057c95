-- A chat application: conversations, messages, members, reactions, as its pages and dashboards ask for them.
CREATE TABLE users_ (id int PRIMARY KEY, name text NOT NULL, email text, created_at timestamptz NOT NULL, settings jsonb DEFAULT '{}');
--: CREATE TABLE

CREATE TABLE conversations (id bigint PRIMARY KEY, title text NOT NULL, owner int NOT NULL, created_at timestamp NOT NULL, archived boolean DEFAULT false);
--: CREATE TABLE

CREATE TABLE messages (id bigint PRIMARY KEY, conversation_id bigint NOT NULL, author int, role text NOT NULL CHECK (role IN ('user', 'assistant', 'system')), content text NOT NULL, tokens int, cost numeric(10,6), tags text[] DEFAULT '{}', metadata jsonb, created_at timestamp NOT NULL);
--: CREATE TABLE

CREATE TABLE reactions (message_id bigint, user_id int, emoji varchar(8), at timestamptz, PRIMARY KEY (message_id, user_id, emoji));
--: CREATE TABLE

INSERT INTO users_ (id, name, email, created_at, settings) VALUES
  (1, 'Alice', 'alice@example.com', '2024-01-01 09:00+00', '{"theme": "dark", "lang": "en"}'),
  (2, 'Bob', NULL, '2024-01-02 10:30+00', '{"theme": "light"}'),
  (3, 'Zoë', 'zoe@example.com', '2024-02-29 23:59:59.5+02', DEFAULT);
--: INSERT 0 3

INSERT INTO conversations VALUES (10, 'Hello', 1, '2024-03-01 08:00', DEFAULT), (11, 'Plans', 1, '2024-03-02 08:00', true), (12, 'Empty', 2, '2024-03-03 08:00', false);
--: INSERT 0 3

INSERT INTO messages (id, conversation_id, author, role, content, tokens, cost, tags, metadata, created_at) VALUES
  (100, 10, 1, 'user', 'Hello!', 3, 0.000003, '{greeting}', '{"client": "web", "len": 6}', '2024-03-01 08:00:01'),
  (101, 10, NULL, 'assistant', 'Hi Alice, how can I help?', 9, 0.000027, '{greeting,question}', '{"model": "m-1", "finish": {"reason": "stop"}}', '2024-03-01 08:00:03.25'),
  (102, 10, 1, 'user', 'What''s a "tablet"?', 6, 0.000006, '{}', NULL, '2024-03-01 08:01:00'),
  (103, 10, NULL, 'assistant', E'One user''s slice:\n- log\n- segments', 14, 0.000042, NULL, '{"model": "m-2", "finish": {"reason": "length"}, "scores": [0.5, 0.25]}', '2024-03-01 08:01:04'),
  (110, 11, 1, 'user', 'Plan my week', 4, NULL, '{plan}', '{"client": "ios"}', '2024-03-02 08:00:00'),
  (111, 11, 2, 'user', 'Mine too 🙂', 5, 0.000005, '{plan,"two words"}', '{"client": "web"}', '2024-03-02 09:00:00'),
  (112, 11, NULL, 'system', '', 0, 0, '{}', '{}', '2024-03-02 09:00:00.000001');
--: INSERT 0 7

INSERT INTO reactions VALUES (100, 1, '👍', '2024-03-01 08:02+00'), (100, 2, '👍', '2024-03-01 08:03+00'), (101, 1, '🎉', '2024-03-01 08:04+00'), (111, 1, '👍', NULL);
--: INSERT 0 4

-- The newest page of a conversation.
SELECT id, role, content, created_at FROM messages WHERE conversation_id = 10 ORDER BY created_at DESC LIMIT 2;
--: ["id int8", "role text", "content text", "created_at timestamp"]
--: ["103", "assistant", "One user's slice:\n- log\n- segments", "2024-03-01 08:01:04"]
--: ["102", "user", "What's a \"tablet\"?", "2024-03-01 08:01:00"]

SELECT id, role FROM messages WHERE conversation_id = 10 ORDER BY created_at DESC, id DESC LIMIT 2 OFFSET 1;
--: ["id int8", "role text"]
--: ["102", "user"]
--: ["101", "assistant"]

-- The page before an id (keyset pagination).
SELECT id FROM messages WHERE conversation_id = 10 AND id < 103 ORDER BY id DESC LIMIT 50;
--: ["id int8"]
--: ["102"]
--: ["101"]
--: ["100"]

SELECT id FROM messages WHERE (created_at, id) < ('2024-03-01 08:01:04', 103) AND conversation_id = 10 ORDER BY created_at DESC, id DESC;
--: ["id int8"]
--: ["102"]
--: ["101"]
--: ["100"]

SELECT * FROM messages WHERE id = 101;
--: ["id int8", "conversation_id int8", "author int4", "role text", "content text", "tokens int4", "cost numeric", "tags _text", "metadata jsonb", "created_at timestamp"]
--: ["101", "10", null, "assistant", "Hi Alice, how can I help?", "9", "0.000027", "{greeting,question}", "{\"model\": \"m-1\", \"finish\": {\"reason\": \"stop\"}}", "2024-03-01 08:00:03.25"]

SELECT * FROM messages WHERE id IN (100, 111, 999) ORDER BY id;
--: ["id int8", "conversation_id int8", "author int4", "role text", "content text", "tokens int4", "cost numeric", "tags _text", "metadata jsonb", "created_at timestamp"]
--: ["100", "10", "1", "user", "Hello!", "3", "0.000003", "{greeting}", "{\"len\": 6, \"client\": \"web\"}", "2024-03-01 08:00:01"]
--: ["111", "11", "2", "user", "Mine too 🙂", "5", "0.000005", "{plan,\"two words\"}", "{\"client\": \"web\"}", "2024-03-02 09:00:00"]

SELECT content FROM messages WHERE id = 999;
--: ["content text"]

-- The list of conversations with their last message and counts.
SELECT c.id, c.title, count(m.id) AS messages, max(m.created_at) AS last_at, sum(m.tokens) AS tokens FROM conversations c LEFT JOIN messages m ON m.conversation_id = c.id GROUP BY c.id, c.title ORDER BY last_at DESC NULLS LAST;
--: ["id int8", "title text", "messages int8", "last_at timestamp", "tokens int8"]
--: ["11", "Plans", "3", "2024-03-02 09:00:00.000001", "9"]
--: ["10", "Hello", "4", "2024-03-01 08:01:04", "32"]
--: ["12", "Empty", "0", null, null]

SELECT c.title, (SELECT content FROM messages m WHERE m.conversation_id = c.id ORDER BY m.created_at DESC LIMIT 1) AS last FROM conversations c ORDER BY c.id;
--: ["title text", "last text"]
--: ["Hello", "One user's slice:\n- log\n- segments"]
--: ["Plans", ""]
--: ["Empty", null]

SELECT DISTINCT ON (conversation_id) conversation_id, id, content FROM messages ORDER BY conversation_id, created_at DESC;
--: ["conversation_id int8", "id int8", "content text"]
--: ["10", "103", "One user's slice:\n- log\n- segments"]
--: ["11", "112", ""]

SELECT conversation_id, id, row_number() OVER (PARTITION BY conversation_id ORDER BY created_at DESC, id) AS rn FROM messages ORDER BY conversation_id, rn;
--: ["conversation_id int8", "id int8", "rn int8"]
--: ["10", "103", "1"]
--: ["10", "102", "2"]
--: ["10", "101", "3"]
--: ["10", "100", "4"]
--: ["11", "112", "1"]
--: ["11", "111", "2"]
--: ["11", "110", "3"]

SELECT * FROM (SELECT conversation_id, id, row_number() OVER (PARTITION BY conversation_id ORDER BY created_at DESC) AS rn FROM messages) x WHERE rn = 1 ORDER BY 1;
--: ["conversation_id int8", "id int8", "rn int8"]
--: ["10", "103", "1"]
--: ["11", "112", "1"]

WITH last AS (SELECT conversation_id, max(created_at) AS at FROM messages GROUP BY 1) SELECT c.title, last.at FROM conversations c JOIN last ON last.conversation_id = c.id ORDER BY 2 DESC;
--: ["title text", "at timestamp"]
--: ["Plans", "2024-03-02 09:00:00.000001"]
--: ["Hello", "2024-03-01 08:01:04"]

SELECT c.id FROM conversations c WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = c.id);
--: ["id int8"]
--: ["12"]

SELECT c.id FROM conversations c WHERE c.id NOT IN (SELECT conversation_id FROM messages);
--: ["id int8"]
--: ["12"]

SELECT title FROM conversations WHERE NOT archived ORDER BY title;
--: ["title text"]
--: ["Empty"]
--: ["Hello"]

SELECT title FROM conversations WHERE archived IS TRUE;
--: ["title text"]
--: ["Plans"]

SELECT u.name, coalesce(u.email, 'no address') AS email FROM users_ u ORDER BY u.name;
--: ["name text", "email text"]
--: ["Alice", "alice@example.com"]
--: ["Bob", "no address"]
--: ["Zoë", "zoe@example.com"]

SELECT m.id, u.name FROM messages m LEFT JOIN users_ u ON u.id = m.author ORDER BY m.id;
--: ["id int8", "name text"]
--: ["100", "Alice"]
--: ["101", null]
--: ["102", "Alice"]
--: ["103", null]
--: ["110", "Alice"]
--: ["111", "Bob"]
--: ["112", null]

SELECT coalesce(u.name, 'assistant') AS who, count(*), avg(m.tokens), sum(m.cost) FROM messages m LEFT JOIN users_ u ON u.id = m.author GROUP BY 1 ORDER BY 2 DESC, 1;
--: ["who text", "count int8", "avg numeric", "sum numeric"]
--: ["Alice", "3", "4.3333333333333333", "0.000009"]
--: ["assistant", "3", "7.6666666666666667", "0.000069"]
--: ["Bob", "1", "5.0000000000000000", "0.000005"]

-- Dashboards.
SELECT date_trunc('day', created_at) AS day, count(*) AS n, sum(tokens) AS tokens FROM messages GROUP BY day ORDER BY day;
--: ["day timestamp", "n int8", "tokens int8"]
--: ["2024-03-01 00:00:00", "4", "32"]
--: ["2024-03-02 00:00:00", "3", "9"]

SELECT date_trunc('hour', created_at)::text AS hour, count(*) FROM messages GROUP BY 1 HAVING count(*) > 1 ORDER BY 1;
--: ["hour text", "count int8"]
--: ["2024-03-01 08:00:00", "4"]
--: ["2024-03-02 09:00:00", "2"]

SELECT extract(hour FROM created_at) AS h, count(*) FROM messages GROUP BY 1 ORDER BY 1;
--: ["h numeric", "count int8"]
--: ["8", "5"]
--: ["9", "2"]

SELECT to_char(created_at, 'YYYY-MM-DD HH24:MI') AS minute, count(*) FROM messages GROUP BY 1 ORDER BY 1;
--: ["minute text", "count int8"]
--: ["2024-03-01 08:00", "2"]
--: ["2024-03-01 08:01", "2"]
--: ["2024-03-02 08:00", "1"]
--: ["2024-03-02 09:00", "2"]

SELECT role, count(*), count(author), count(DISTINCT author), min(content), max(tokens), round(avg(tokens), 2) FROM messages GROUP BY role ORDER BY role;
--: ["role text", "count int8", "count int8", "count int8", "min text", "max int4", "round numeric"]
--: ["assistant", "2", "0", "0", "Hi Alice, how can I help?", "14", "11.50"]
--: ["system", "1", "0", "0", "", "0", "0.00"]
--: ["user", "4", "4", "2", "Hello!", "6", "4.50"]

SELECT role, count(*) FILTER (WHERE tokens > 4) AS long, sum(tokens) FILTER (WHERE cost IS NULL) AS unpaid FROM messages GROUP BY role ORDER BY role;
--: ["role text", "long int8", "unpaid int8"]
--: ["assistant", "2", null]
--: ["system", "0", null]
--: ["user", "2", "4"]

SELECT role, string_agg(id::text, ',' ORDER BY id DESC) FROM messages GROUP BY role ORDER BY role;
--: ["role text", "string_agg text"]
--: ["assistant", "103,101"]
--: ["system", "112"]
--: ["user", "111,110,102,100"]

SELECT conversation_id, array_agg(role ORDER BY created_at) FROM messages GROUP BY conversation_id ORDER BY 1;
--: ["conversation_id int8", "array_agg _text"]
--: ["10", "{user,assistant,user,assistant}"]
--: ["11", "{user,user,system}"]

SELECT conversation_id, jsonb_agg(content ORDER BY id) FROM messages WHERE conversation_id = 10 GROUP BY 1;
--: ["conversation_id int8", "jsonb_agg jsonb"]
--: ["10", "[\"Hello!\", \"Hi Alice, how can I help?\", \"What's a \\\"tablet\\\"?\", \"One user's slice:\\n- log\\n- segments\"]"]

SELECT json_build_object('role', role, 'content', content) FROM messages WHERE conversation_id = 10 ORDER BY id;
--: ["json_build_object json"]
--: ["{\"role\" : \"user\", \"content\" : \"Hello!\"}"]
--: ["{\"role\" : \"assistant\", \"content\" : \"Hi Alice, how can I help?\"}"]
--: ["{\"role\" : \"user\", \"content\" : \"What's a \\\"tablet\\\"?\"}"]
--: ["{\"role\" : \"assistant\", \"content\" : \"One user's slice:\\n- log\\n- segments\"}"]

SELECT bool_and(tokens > 0), bool_or(author IS NULL), every(role <> 'x') FROM messages;
--: ["bool_and bool", "bool_or bool", "every bool"]
--: ["f", "t", "t"]

SELECT count(*), sum(tokens), avg(tokens), min(created_at), max(cost) FROM messages WHERE false;
--: ["count int8", "sum int8", "avg numeric", "min timestamp", "max numeric"]
--: ["0", null, null, null, null]

SELECT sum(tokens) OVER (ORDER BY id) AS running, id FROM messages ORDER BY id;
--: ["running int8", "id int8"]
--: ["3", "100"]
--: ["12", "101"]
--: ["18", "102"]
--: ["32", "103"]
--: ["36", "110"]
--: ["41", "111"]
--: ["41", "112"]

SELECT id, tokens - lag(tokens) OVER (PARTITION BY conversation_id ORDER BY id) AS delta, lead(id, 1, -1) OVER (ORDER BY id) FROM messages ORDER BY id;
--: ["id int8", "delta int4", "lead int8"]
--: ["100", null, "101"]
--: ["101", "6", "102"]
--: ["102", "-3", "103"]
--: ["103", "8", "110"]
--: ["110", null, "111"]
--: ["111", "1", "112"]
--: ["112", "-5", "-1"]

SELECT id, rank() OVER (ORDER BY role), dense_rank() OVER (ORDER BY role), ntile(3) OVER (ORDER BY id), percent_rank() OVER (ORDER BY id), cume_dist() OVER (ORDER BY role) FROM messages ORDER BY id;
--: ["id int8", "rank int8", "dense_rank int8", "ntile int4", "percent_rank float8", "cume_dist float8"]
--: ["100", "4", "3", "1", "0", "1"]
--: ["101", "1", "1", "1", "0.16666666666666666", "0.2857142857142857"]
--: ["102", "4", "3", "1", "0.3333333333333333", "1"]
--: ["103", "1", "1", "2", "0.5", "0.2857142857142857"]
--: ["110", "4", "3", "2", "0.6666666666666666", "1"]
--: ["111", "4", "3", "3", "0.8333333333333334", "1"]
--: ["112", "3", "2", "3", "1", "0.42857142857142855"]

SELECT id, first_value(content) OVER w, last_value(id) OVER w, nth_value(id, 2) OVER w FROM messages WINDOW w AS (PARTITION BY conversation_id ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) ORDER BY id;
--: ["id int8", "first_value text", "last_value int8", "nth_value int8"]
--: ["100", "Hello!", "103", "101"]
--: ["101", "Hello!", "103", "101"]
--: ["102", "Hello!", "103", "101"]
--: ["103", "Hello!", "103", "101"]
--: ["110", "Plan my week", "112", "111"]
--: ["111", "Plan my week", "112", "111"]
--: ["112", "Plan my week", "112", "111"]

SELECT id, avg(tokens) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM messages ORDER BY id;
--: ["id int8", "avg numeric"]
--: ["100", "6.0000000000000000"]
--: ["101", "6.0000000000000000"]
--: ["102", "9.6666666666666667"]
--: ["103", "8.0000000000000000"]
--: ["110", "7.6666666666666667"]
--: ["111", "3.0000000000000000"]
--: ["112", "2.5000000000000000"]

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY tokens), percentile_disc(0.9) WITHIN GROUP (ORDER BY tokens), mode() WITHIN GROUP (ORDER BY role) FROM messages;
--: ["percentile_cont float8", "percentile_disc int4", "mode text"]
--: ["5", "14", "user"]

SELECT stddev(tokens), variance(tokens), stddev_pop(tokens) FROM messages;
--: ["stddev numeric", "variance numeric", "stddev_pop numeric"]
--: ["4.5250624831255619", "20.4761904761904762", "4.1893937996043372"]

SELECT role, conversation_id, count(*) FROM messages GROUP BY ROLLUP (role, conversation_id) ORDER BY role NULLS LAST, conversation_id NULLS LAST;
--: ["role text", "conversation_id int8", "count int8"]
--: ["assistant", "10", "2"]
--: ["assistant", null, "2"]
--: ["system", "11", "1"]
--: ["system", null, "1"]
--: ["user", "10", "2"]
--: ["user", "11", "2"]
--: ["user", null, "4"]
--: [null, null, "7"]

SELECT role, author, count(*), grouping(role, author) FROM messages GROUP BY GROUPING SETS ((role), (author), ()) ORDER BY 4, 1, 2;
--: ["role text", "author int4", "count int8", "grouping int4"]
--: ["assistant", null, "2", "1"]
--: ["system", null, "1", "1"]
--: ["user", null, "4", "1"]
--: [null, "1", "3", "2"]
--: [null, "2", "1", "2"]
--: [null, null, "3", "2"]
--: [null, null, "7", "3"]

-- Search.
SELECT id FROM messages WHERE content ILIKE '%hello%';
--: ["id int8"]
--: ["100"]

SELECT id FROM messages WHERE content LIKE 'H%' ORDER BY id;
--: ["id int8"]
--: ["100"]
--: ["101"]

SELECT id FROM messages WHERE content NOT LIKE '%e%' ORDER BY id;
--: ["id int8"]
--: ["112"]

SELECT id FROM messages WHERE content ~* 'ALICE|week' ORDER BY id;
--: ["id int8"]
--: ["101"]
--: ["110"]

SELECT id, position('a' IN content), strpos(content, 'i'), char_length(content), octet_length(content) FROM messages ORDER BY id;
--: ["id int8", "position int4", "strpos int4", "char_length int4", "octet_length int4"]
--: ["100", "0", "0", "6", "6"]
--: ["101", "16", "2", "25", "25"]
--: ["102", "3", "0", "18", "18"]
--: ["103", "0", "14", "34", "34"]
--: ["110", "3", "0", "12", "12"]
--: ["111", "0", "2", "10", "13"]
--: ["112", "0", "0", "0", "0"]

SELECT id, left(content, 5), right(content, 3), upper(content), initcap(content), reverse(content) FROM messages WHERE conversation_id = 11 ORDER BY id;
--: ["id int8", "left text", "right text", "upper text", "initcap text", "reverse text"]
--: ["110", "Plan ", "eek", "PLAN MY WEEK", "Plan My Week", "keew ym nalP"]
--: ["111", "Mine ", "o 🙂", "MINE TOO 🙂", "Mine Too 🙂", "🙂 oot eniM"]
--: ["112", "", "", "", "", ""]

SELECT id, split_part(content, ' ', 2), substring(content FROM 2 FOR 3), replace(content, 'a', 'A'), trim(content), md5(content) FROM messages ORDER BY id;
--: ["id int8", "split_part text", "substring text", "replace text", "btrim text", "md5 text"]
--: ["100", "", "ell", "Hello!", "Hello!", "952d2c56d0485958336747bcdd98590d"]
--: ["101", "Alice,", "i A", "Hi Alice, how cAn I help?", "Hi Alice, how can I help?", "cd65186543e07cb4fd71c8aa570047b9"]
--: ["102", "a", "hat", "WhAt's A \"tAblet\"?", "What's a \"tablet\"?", "823405ec14f2c15ff872e3096806648a"]
--: ["103", "user's", "ne ", "One user's slice:\n- log\n- segments", "One user's slice:\n- log\n- segments", "fdd086872ac84c2557baa5aee2f6b129"]
--: ["110", "my", "lan", "PlAn my week", "Plan my week", "188e0725820edbe5fed0fd3f2c8d9ab6"]
--: ["111", "too", "ine", "Mine too 🙂", "Mine too 🙂", "17e7b1def2751a5f7222b163bf39af91"]
--: ["112", "", "", "", "", "d41d8cd98f00b204e9800998ecf8427e"]

SELECT id, regexp_replace(content, '[aeiou]', '*', 'g') FROM messages WHERE conversation_id = 10 ORDER BY id;
--: ["id int8", "regexp_replace text"]
--: ["100", "H*ll*!"]
--: ["101", "H* Al*c*, h*w c*n I h*lp?"]
--: ["102", "Wh*t's * \"t*bl*t\"?"]
--: ["103", "On* *s*r's sl*c*:\n- l*g\n- s*gm*nts"]

SELECT id FROM messages WHERE content = '' OR content IS NULL;
--: ["id int8"]
--: ["112"]

-- Arrays and JSON.
SELECT id FROM messages WHERE 'greeting' = ANY(tags) ORDER BY id;
--: ["id int8"]
--: ["100"]
--: ["101"]

SELECT id FROM messages WHERE tags @> ARRAY['plan'] ORDER BY id;
--: ["id int8"]
--: ["110"]
--: ["111"]

SELECT id FROM messages WHERE tags && ARRAY['question', 'plan'] ORDER BY id;
--: ["id int8"]
--: ["101"]
--: ["110"]
--: ["111"]

SELECT id, tags, tags[1], array_length(tags, 1), cardinality(tags) FROM messages ORDER BY id;
--: ["id int8", "tags _text", "tags text", "array_length int4", "cardinality int4"]
--: ["100", "{greeting}", "greeting", "1", "1"]
--: ["101", "{greeting,question}", "greeting", "2", "2"]
--: ["102", "{}", null, null, "0"]
--: ["103", null, null, null, null]
--: ["110", "{plan}", "plan", "1", "1"]
--: ["111", "{plan,\"two words\"}", "plan", "2", "2"]
--: ["112", "{}", null, null, "0"]

SELECT tag, count(*) FROM messages, unnest(tags) AS tag GROUP BY tag ORDER BY 2 DESC, 1;
--: ["tag text", "count int8"]
--: ["greeting", "2"]
--: ["plan", "2"]
--: ["question", "1"]
--: ["two words", "1"]

SELECT id, array_to_string(tags, '|'), array_append(tags, 'new'), tags || '{x,y}' FROM messages ORDER BY id;
--: ["id int8", "array_to_string text", "array_append _text", "?column? _text"]
--: ["100", "greeting", "{greeting,new}", "{greeting,x,y}"]
--: ["101", "greeting|question", "{greeting,question,new}", "{greeting,question,x,y}"]
--: ["102", "", "{new}", "{x,y}"]
--: ["103", null, "{new}", "{x,y}"]
--: ["110", "plan", "{plan,new}", "{plan,x,y}"]
--: ["111", "plan|two words", "{plan,\"two words\",new}", "{plan,\"two words\",x,y}"]
--: ["112", "", "{new}", "{x,y}"]

SELECT id, metadata->>'client', metadata->'finish'->>'reason', metadata#>>'{finish,reason}', metadata ? 'model' FROM messages ORDER BY id;
--: ["id int8", "?column? text", "?column? text", "?column? text", "?column? bool"]
--: ["100", "web", null, null, "f"]
--: ["101", null, "stop", "stop", "t"]
--: ["102", null, null, null, null]
--: ["103", null, "length", "length", "t"]
--: ["110", "ios", null, null, "f"]
--: ["111", "web", null, null, "f"]
--: ["112", null, null, null, "f"]

SELECT metadata->>'client' AS client, count(*) FROM messages GROUP BY 1 ORDER BY 1 NULLS FIRST;
--: ["client text", "count int8"]
--: [null, "4"]
--: ["ios", "1"]
--: ["web", "2"]

SELECT id FROM messages WHERE metadata @> '{"client": "web"}' ORDER BY id;
--: ["id int8"]
--: ["100"]
--: ["111"]

SELECT id FROM messages WHERE (metadata->>'len')::int > 5;
--: ["id int8"]
--: ["100"]

SELECT id, jsonb_array_length(metadata->'scores') FROM messages WHERE metadata ? 'scores';
--: ["id int8", "jsonb_array_length int4"]
--: ["103", "2"]

SELECT key, value FROM messages, jsonb_each_text(metadata) WHERE id = 101 ORDER BY key;
--: ["key text", "value text"]
--: ["finish", "{\"reason\": \"stop\"}"]
--: ["model", "m-1"]

SELECT id, settings->>'theme', settings || '{"seen": true}', settings - 'lang' FROM users_ ORDER BY id;
--: ["id int4", "?column? text", "?column? jsonb", "?column? jsonb"]
--: ["1", "dark", "{\"lang\": \"en\", \"seen\": true, \"theme\": \"dark\"}", "{\"theme\": \"dark\"}"]
--: ["2", "light", "{\"seen\": true, \"theme\": \"light\"}", "{\"theme\": \"light\"}"]
--: ["3", null, "{\"seen\": true}", "{}"]

SELECT jsonb_set(metadata, '{finish,reason}', '"edited"') FROM messages WHERE id = 101;
--: ["jsonb_set jsonb"]
--: ["{\"model\": \"m-1\", \"finish\": {\"reason\": \"edited\"}}"]

-- Reactions.
SELECT m.id, r.emoji, count(*) FROM messages m JOIN reactions r ON r.message_id = m.id GROUP BY m.id, r.emoji ORDER BY m.id, r.emoji;
--: ["id int8", "emoji varchar", "count int8"]
--: ["100", "👍", "2"]
--: ["101", "🎉", "1"]
--: ["111", "👍", "1"]

SELECT * FROM reactions WHERE message_id = 100 AND user_id = 2 AND emoji = '👍';
--: ["message_id int8", "user_id int4", "emoji varchar", "at timestamptz"]
--: ["100", "2", "👍", "2024-03-01 08:03:00+00"]

SELECT m.id, coalesce(r.n, 0) FROM messages m LEFT JOIN (SELECT message_id, count(*) AS n FROM reactions GROUP BY message_id) r ON r.message_id = m.id ORDER BY m.id;
--: ["id int8", "coalesce int8"]
--: ["100", "2"]
--: ["101", "1"]
--: ["102", "0"]
--: ["103", "0"]
--: ["110", "0"]
--: ["111", "1"]
--: ["112", "0"]

SELECT u.name, r.emoji FROM users_ u CROSS JOIN (SELECT DISTINCT emoji FROM reactions) r ORDER BY 1, 2;
--: ["name text", "emoji varchar"]
--: ["Alice", "🎉"]
--: ["Alice", "👍"]
--: ["Bob", "🎉"]
--: ["Bob", "👍"]
--: ["Zoë", "🎉"]
--: ["Zoë", "👍"]

SELECT u.name, r.message_id FROM users_ u FULL JOIN reactions r ON r.user_id = u.id ORDER BY 1, 2;
--: ["name text", "message_id int8"]
--: ["Alice", "100"]
--: ["Alice", "101"]
--: ["Alice", "111"]
--: ["Bob", "100"]
--: ["Zoë", null]

SELECT name FROM users_ JOIN reactions ON user_id = users_.id WHERE at >= '2024-03-01 08:03+00' ORDER BY name;
--: ["name text"]
--: ["Alice"]
--: ["Bob"]

INSERT INTO reactions VALUES (100, 1, '👍', now());
--! 23505 duplicate key value violates unique constraint "reactions_pkey"

INSERT INTO reactions VALUES (100, 1, '👍', now()) ON CONFLICT DO NOTHING;
--: INSERT 0 0

INSERT INTO reactions VALUES (100, 1, '123456789', NULL);
--! 22001 value too long for type character varying(8)

-- Changes.
UPDATE messages SET content = content || ' (edited)', tokens = tokens + 1 WHERE id = 100 RETURNING id, content, tokens;
--: ["id int8", "content text", "tokens int4"]
--: ["100", "Hello! (edited)", "4"]

UPDATE messages SET metadata = coalesce(metadata, '{}') || '{"pinned": true}' WHERE conversation_id = 10 AND role = 'user';
--: UPDATE 2

SELECT id, metadata FROM messages WHERE metadata ? 'pinned' ORDER BY id;
--: ["id int8", "metadata jsonb"]
--: ["100", "{\"len\": 6, \"client\": \"web\", \"pinned\": true}"]
--: ["102", "{\"pinned\": true}"]

UPDATE conversations c SET title = c.title || ' by ' || u.name FROM users_ u WHERE u.id = c.owner RETURNING c.id, c.title;
--: ["id int8", "title text"]
--: ["10", "Hello by Alice"]
--: ["11", "Plans by Alice"]
--: ["12", "Empty by Bob"]

UPDATE messages SET tags = array_append(tags, 'seen') WHERE 'plan' = ANY(tags) RETURNING tags;
--: ["tags _text"]
--: ["{plan,seen}"]
--: ["{plan,\"two words\",seen}"]

UPDATE messages SET role = 'robot' WHERE id = 100;
--! 23514 new row for relation "messages" violates check constraint "messages_role_check"

UPDATE messages SET content = NULL WHERE id = 100;
--! 23502 null value in column "content" of relation "messages" violates not-null constraint

UPDATE messages SET id = 101 WHERE id = 100;
--! 23505 duplicate key value violates unique constraint "messages_pkey"

UPDATE messages SET id = 200 WHERE id = 112 RETURNING *;
--: ["id int8", "conversation_id int8", "author int4", "role text", "content text", "tokens int4", "cost numeric", "tags _text", "metadata jsonb", "created_at timestamp"]
--: ["200", "11", null, "system", "", "0", "0.000000", "{}", "{}", "2024-03-02 09:00:00.000001"]

UPDATE messages SET (tokens, cost) = (0, 1.5) WHERE id = 200;
--: UPDATE 1

SELECT tokens, cost FROM messages WHERE id = 200;
--: ["tokens int4", "cost numeric"]
--: ["0", "1.500000"]

UPDATE messages SET tokens = tokens WHERE false;
--: UPDATE 0

DELETE FROM messages WHERE id = 200 RETURNING id, role;
--: ["id int8", "role text"]
--: ["200", "system"]

DELETE FROM messages USING conversations c WHERE c.id = messages.conversation_id AND c.archived AND messages.author = 2;
--: DELETE 1

DELETE FROM reactions WHERE message_id NOT IN (SELECT id FROM messages);
--: DELETE 1

SELECT count(*) FROM reactions;
--: ["count int8"]
--: ["3"]

INSERT INTO messages (id, conversation_id, role, content, created_at) SELECT id + 1000, conversation_id, role, 'copy of ' || content, created_at + interval '1 day' FROM messages WHERE conversation_id = 11 RETURNING id, content, tags, created_at;
--: ["id int8", "content text", "tags _text", "created_at timestamp"]
--: ["1110", "copy of Plan my week", "{}", "2024-03-03 08:00:00"]

INSERT INTO messages VALUES (1, 10, 1, 'user', 'no time');
--! 23502 null value in column "created_at" of relation "messages" violates not-null constraint

INSERT INTO messages (id, conversation_id, role, content) VALUES (1, 10, 'user', 'no time');
--! 23502 null value in column "created_at" of relation "messages" violates not-null constraint

INSERT INTO messages (id, conversation_id, role, content, created_at) VALUES (2, 10, 'user', 'x', 'yesterday-ish');
--! 22007 invalid input syntax for type timestamp: "yesterday-ish"

INSERT INTO messages (id, nonsense) VALUES (1, 2);
--! 42703 column "nonsense" of relation "messages" does not exist

INSERT INTO conversations VALUES (10, 'again', 1, now()) ON CONFLICT (id) DO UPDATE SET title = excluded.title || ' ' || conversations.title RETURNING id, title, archived;
--: ["id int8", "title text", "archived bool"]
--: ["10", "again Hello by Alice", "f"]

INSERT INTO conversations (id, title, owner, created_at) VALUES (20, 'x', 1, '2024-01-01'), (20, 'y', 1, '2024-01-01');
--! 23505 duplicate key value violates unique constraint "conversations_pkey"

SELECT count(*) FROM conversations;
--: ["count int8"]
--: ["3"]

DELETE FROM conversations WHERE id = 12;
--: DELETE 1

SELECT id, title FROM conversations ORDER BY id;
--: ["id int8", "title text"]
--: ["10", "again Hello by Alice"]
--: ["11", "Plans by Alice"]

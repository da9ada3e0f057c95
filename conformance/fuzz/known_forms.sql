-- Forms of statements for `known`: {i} and its like are literals, {rows:i,s} rows of them.
INSERT INTO r VALUES {rows:i,s,i}
INSERT INTO r (name, id) VALUES {rows:s,i} RETURNING id, name, size
INSERT INTO r VALUES {rows:i,s,i} ON CONFLICT DO NOTHING RETURNING *
INSERT INTO r VALUES {rows:i,s,i} ON CONFLICT (id) DO UPDATE SET size = excluded.size + r.size
INSERT INTO r VALUES {rows:i,s,i} ON CONFLICT (id) DO UPDATE SET size = (SELECT count(*) FROM m) RETURNING xmax <> 0, *
INSERT INTO r VALUES {rows:i,s,i} ON CONFLICT DO NOTHING RETURNING id, (SELECT max(x.name) FROM r x WHERE x.id < r.id)
INSERT INTO m (id, room, n, body, ok) VALUES {rows:i,i,n,s,b} ON CONFLICT (id) DO UPDATE SET body = excluded.body, n = m.n
INSERT INTO m (id, n, f, small) VALUES {rows:i,n,n,i}
INSERT INTO m (id, at, tags, doc) VALUES {rows:i,d,a,j} ON CONFLICT DO NOTHING
INSERT INTO m (id, code) VALUES {rows:i,s} ON CONFLICT (code) DO UPDATE SET ok = NOT coalesce(m.ok, excluded.id > 3)
INSERT INTO m (id, body) SELECT {i} + g, {s} || g FROM generate_series(1, {k}) g ON CONFLICT DO NOTHING
WITH w AS (INSERT INTO r VALUES {rows:i,s,i} ON CONFLICT DO NOTHING RETURNING id) SELECT count(*), {i} FROM w
INSERT INTO r VALUES {rows:i,i,s}
INSERT INTO g (room, kind) VALUES {rows:i,s} RETURNING *
INSERT INTO g (some, room) VALUES {rows:i,i} ON CONFLICT DO NOTHING RETURNING some, twice
INSERT INTO g (id, some, p) VALUES {rows:i,i,pair} ON CONFLICT (id) DO UPDATE SET some = DEFAULT RETURNING id, p
INSERT INTO v (id, some) VALUES {rows:i,i} RETURNING *
INSERT INTO v (id, some, kind) VALUES {rows:i,i,s} ON CONFLICT (id) DO UPDATE SET kind = excluded.kind
UPDATE v SET some = {i}, kind = {s} WHERE id = {i} RETURNING id, some
UPDATE g SET some = some + {i}, p.x = {i}, p.y = {s} WHERE id > {i} RETURNING id, (p).x, twice
UPDATE g SET kind = {s} WHERE kind = {s} OR p = {pair}
DELETE FROM v WHERE some = {i} AND kind > {s} RETURNING *, (SELECT count(*) FROM g x WHERE x.some < v.some)
SELECT some + {i}, kind = {s}, {i}::part, {s}::mood, (p).y || {s} FROM g WHERE kind <> {s} ORDER BY id
INSERT INTO r (id, name) VALUES ({i}, {s}), ({i}, {s} || {i}) ON CONFLICT DO NOTHING
UPDATE m SET n = n + {n}, body = body || {s} WHERE id = {i} RETURNING *
UPDATE m SET n = {n}, small = {i}, f = {n} WHERE room = {i} OR body = {s}
UPDATE m SET at = {d}, tags = {a}, doc = {j} WHERE id < {i} RETURNING id, at, tags, doc
UPDATE m SET doc = jsonb_set(doc, {path}, {j}) WHERE id = {i} RETURNING doc
UPDATE r SET name = CASE WHEN id > {i} THEN {s} ELSE name END, size = {i}
UPDATE m SET code = {s} WHERE id = {i}
UPDATE m SET n = {n}, n = {i} WHERE id = {i}
DELETE FROM m WHERE id = {i} AND n > {n} RETURNING id, {s}, {n}, {i}
DELETE FROM r WHERE id IN ({i}, {i}, {i}) OR name LIKE {like}
DELETE FROM m USING r WHERE m.room = r.id AND r.size = {i} RETURNING m.id, r.name
MERGE INTO r USING (VALUES ({i}, {s}), ({i}, {s})) v (i, t) ON r.id = v.i WHEN MATCHED THEN UPDATE SET size = {i} WHEN NOT MATCHED THEN INSERT VALUES (v.i, v.t)
SELECT * FROM m WHERE id = {i}
SELECT id, body FROM m WHERE room = {i} AND at > {d} ORDER BY at DESC, id LIMIT {k} OFFSET {k}
SELECT {i}, {n}, {s}, {b}, - {i}, +{n}, {i} - {i}, {i}/{k}, {i} % 7
SELECT {i} + {n}, {n} * {i}, {s} || {s}, {s} || {i}, {i} = {n}, {i}::text || {s}, {n}::int, {s}::text
SELECT id, n + {n}, n * {i}, room + {i}, f + {n}, small + {i}, f / {k} FROM m WHERE n <> {n} ORDER BY 1
SELECT {s}, count(*), sum(n + {i}) FROM m GROUP BY {i} > room ORDER BY 2
SELECT room, count(*) FROM m WHERE ok = {b} OR ok IS NULL GROUP BY 1 HAVING count(*) > {i} ORDER BY 2, 1
SELECT id FROM m WHERE id IN ({i}, {n}, {i}) OR n IN ({i}, {i}) ORDER BY id
SELECT id FROM m WHERE id = ANY({ints}) OR body = ANY({a}) ORDER BY id
SELECT id FROM m WHERE id BETWEEN {i} AND {i} OR n NOT BETWEEN {n} AND {i} ORDER BY id DESC
SELECT id, at AT TIME ZONE {zone}, at + interval {span}, date {day} + {i} FROM m WHERE at < timestamptz {d} ORDER BY id
SELECT id, tags[{k}], doc -> {s}, doc ->> {k}, tags || {a}, doc || {j}, tags @> {a} FROM m ORDER BY id LIMIT {k}
SELECT substring(body FROM {k} FOR {k}), left(body, {i}), lpad(body, {k}, {s}), position({s} IN body), body LIKE {like} FROM m ORDER BY id
SELECT round(n, {k}), n::numeric(6,{k}), body::varchar({k}), to_char(n, {pic}), coalesce(n, {i}), nullif(id, {i}) FROM m ORDER BY id
SELECT CASE id WHEN {i} THEN {i} WHEN {i} THEN {n} ELSE {i} END, greatest(id, {n}), CASE WHEN ok THEN {s} END FROM m ORDER BY id
SELECT id, sum(n) OVER (ORDER BY id ROWS {k} PRECEDING), lag(id, {k}, {i}) OVER (ORDER BY id), ntile({k}) OVER (ORDER BY id) FROM m ORDER BY id
SELECT percentile_cont(0.{k}) WITHIN GROUP (ORDER BY n), string_agg(body, {s} ORDER BY id), array_agg(id + {i} ORDER BY id) FROM m
SELECT {i} AS a, {s} AS b UNION SELECT {n}, {s} ORDER BY 1, 2
SELECT {i} UNION ALL SELECT id FROM m WHERE body > {s} ORDER BY 1 LIMIT {k}
SELECT * FROM (VALUES ({i}, {s}), ({n}, {s})) v (a, b) ORDER BY a, b
SELECT * FROM generate_series({k}, 40, {k}) g WHERE g <> {i} LIMIT {k}
SELECT r.name, x.c FROM r, LATERAL (SELECT count(*) + {i} AS c FROM m WHERE m.room = r.id AND m.id > {i}) x ORDER BY r.id
SELECT EXISTS (SELECT FROM m WHERE n = {n}), (SELECT max(id) FROM m WHERE id < {i}), {i} IN (SELECT id FROM r)
SELECT (ARRAY[{i}, {i}])[{k}], ARRAY[{i}, {n}], ROW({i}, {s}) = ROW(1, {s}), {s} IS DISTINCT FROM {s}
SELECT {s} 'x', E'\x41' || {s}, U&'\0041' || {s}, $q${k}$q$ || {s}
SELECT {i} AS "{k}", 1e{k}, {k}.5, .{k}, 0x{k}
SELECT count(*) FROM m WHERE (room, id) > ({i}, {i}) AND (body, n) < ({s}, {n})
SELECT jsonb_path_query_array(doc, {jpath}), doc #> {path}, jsonb_build_object({s}, {i}, 'k', {n}) FROM m ORDER BY id
SELECT extract(epoch FROM at + {k} * interval '1 hour'), date_trunc({unit}, at), make_date(2020, {k}, {k}) FROM m ORDER BY id
SELECT pg_typeof({i}), pg_typeof({n}), pg_typeof({s}), pg_typeof(- {i}), pg_typeof({b})
SELECT id FROM m ORDER BY {k}
SELECT id, body FROM m ORDER BY n + {i}, 1 FETCH FIRST {k} ROWS ONLY
SELECT {i}/0, {s}::int
SELECT * FROM nowhere WHERE id = {i}
SELECT nope FROM m WHERE id = {i} AND body = {s}
VALUES ({i}, {s}), ({i}, {s})
INSERT INTO r VALUES {rows:i,s,i} ON CONFLICT (id) DO UPDATE SET size = (SELECT count(*) FROM m WHERE m.id < excluded.size), name = r.name || excluded.name
INSERT INTO m (id, room, body) VALUES {rows:i,i,s} ON CONFLICT (id) DO UPDATE SET body = (SELECT name FROM r WHERE r.id = excluded.room) RETURNING id, body
INSERT INTO m (id, code, body) VALUES ({i}, {s}, {s}) ON CONFLICT (id) DO UPDATE SET code = excluded.code, body = m.body || excluded.body
INSERT INTO m (id, code) VALUES ({k}, {s}) ON CONFLICT (id) DO UPDATE SET ok = NOT coalesce(m.ok, true) WHERE m.id > {k}
INSERT INTO m (id, code) VALUES ({k}, {s}) ON CONFLICT DO NOTHING
UPDATE m SET code = {s} WHERE id = {k}
DELETE FROM m WHERE id = {k} AND code <> {s}
SELECT id, body FROM m WHERE code = {s}
SELECT id + {i}, ok FROM m WHERE code = {s} AND id > {k}

-- Aggregates over frames that grow, in every kind of frame.
CREATE TABLE rt (id int PRIMARY KEY, g int, n numeric, m numeric(8, 2), f float8, r real, s text, b bigint, i interval, o bool);
INSERT INTO rt SELECT x, x % 3, CASE WHEN x % 5 > 0 THEN x / 7.0 END, x / 3.0, CASE WHEN x % 4 > 0 THEN x / 3.0 END, x / 2.0, CASE WHEN x % 6 > 0 THEN 'v' || x END, CASE WHEN x % 7 > 0 THEN x * 1000000000000 END, x * interval '1 hour 3 min', CASE WHEN x % 3 > 0 THEN x < 15 END FROM generate_series(1, 24) x;
INSERT INTO rt VALUES (30, 1, 'NaN', NULL, 'NaN', 'Infinity', '', 5, '-1 day', NULL), (31, 1, 1.00, 1, '-Infinity', 0, NULL, NULL, NULL, true), (32, 2, 1.0, 1, 0, 0, 'z', 1, '24 hours', true);
SELECT id, sum(n) OVER w, avg(n) OVER w, min(n) OVER w, max(n) OVER w, count(n) OVER w FROM rt WINDOW w AS (ORDER BY id) ORDER BY id;
SELECT id, sum(n) OVER w, sum(i) OVER w, max(i) OVER w, min(i) OVER w FROM rt WHERE id < 30 WINDOW w AS (PARTITION BY g ORDER BY id DESC) ORDER BY id;
SELECT id, sum(b) OVER w, avg(b) OVER w, sum(g) OVER w, avg(g) OVER w, max(n) OVER w FROM rt WINDOW w AS (ORDER BY g) ORDER BY id;
SELECT id, sum(f) OVER w, avg(f) OVER w, max(f) OVER w, min(f) OVER w, max(n) OVER w FROM rt WINDOW w AS (ORDER BY id) ORDER BY id;
SELECT id, string_agg(s, ',') OVER w, bool_and(o) OVER w, bool_or(o) OVER w, every(o) OVER w, max(s) OVER w, max(n) OVER w FROM rt WINDOW w AS (PARTITION BY g ORDER BY id) ORDER BY id;
SELECT id, string_agg(s, s || '-') OVER w, count(*) OVER w, bit_or(g) OVER w, bit_and(b) OVER w, sum(n) OVER w FROM rt WINDOW w AS (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 2 FOLLOWING) ORDER BY id;
SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 3 PRECEDING), count(s) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 3 PRECEDING) FROM rt ORDER BY id;
SELECT id, sum(n) OVER (ORDER BY id RANGE BETWEEN UNBOUNDED PRECEDING AND 4 PRECEDING), avg(n) OVER (ORDER BY g GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) FROM rt ORDER BY id;
SELECT id, sum(n) FILTER (WHERE g = 1) OVER (ORDER BY id), count(*) FILTER (WHERE g > 1) OVER (ORDER BY id), max(n) FILTER (WHERE id > 5) OVER (ORDER BY id) FROM rt ORDER BY id;
SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), sum(n) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) FROM rt WHERE id < 30 ORDER BY id;
SELECT g, sum(sum(n)) OVER (ORDER BY g), sum(count(*)) OVER (ORDER BY g), max(max(n)) OVER (ORDER BY g) FROM rt GROUP BY g ORDER BY g;
SELECT id, sum(9223372036854775807::int8 - id) OVER (ORDER BY id), sum(n + 1) OVER () FROM rt WHERE id < 5 ORDER BY id;
SELECT id, sum(1e308::float8) OVER (ORDER BY id), max(n) OVER (ORDER BY id) FROM rt ORDER BY id;

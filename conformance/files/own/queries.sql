-- Queries whose shapes were once answered otherwise.
create table t (id int primary key, x int);
insert into t values (1, 1), (2, 1), (3, 2);

-- Subqueries that are written alike are one expression.
select distinct on ((select max(id) from t)) (select max(id) from t), id from t order by 1, 2;
select (select max(id) from t) + 1, count(*) from t group by (select max(id) from t) having (select max(id) from t) > 1 order by (select max(id) from t);
select (select max(u.id) from t u where u.x = t.x) + 1, count(*) from t group by (select max(u.id) from t u where u.x = t.x) order by 1;
select distinct (select max(u.id) from t u where u.x = t.x) from t order by (select max(u.id) from t u where u.x = t.x);
select distinct (select max(u.id) from t u where u.x = t.x) from t order by (select min(u.id) from t u where u.x = t.x);
select array_agg(distinct (select max(id) from t) order by (select max(id) from t)) from t;

-- An alias of a join hides the names within.
select * from t x join (t x cross join (values (1)) y (v)) j on v = 1 order by 1, 3;
select * from t x join (t x cross join t y) j (a, b, c, d) on x.id = a and b = d order by 1, 3, 5;
select * from t x join (t x cross join t y) j on x.id = y.id;

-- What windows are sorted by.
create table wt(id int primary key, x int, y int, f float8, n numeric(8,2), s text, b bool);
insert into wt select g, g % 7 - 3, g % 3, g / 7.0, g % 11, 'x' || g % 5, g % 4 = 0 from generate_series(1, 300) g;
SELECT id, rank() OVER (ORDER BY -abs(x)), rank() OVER (PARTITION BY -abs(y) ORDER BY -length(x::text), abs(x) <= 1), rank() over (order by 1), rank() over (order by x::float8*-1) FROM wt where id < 20 order by id;
SELECT y, rank() OVER (ORDER BY -abs(sum(x))), sum(sum(x)) over (order by abs(sum(x)) <= 1) FROM wt GROUP BY y order by 1;
SELECT count(*) from (select row_number() OVER (ORDER BY random()), row_number() over (order by -random()) FROM wt) s;
SELECT x, count(*) over (PARTITION BY s.c ORDER BY abs(s.c) <= 1) FROM wt, (SELECT count(*)::int AS c FROM wt) s where id < 5 order by 1, 2;
select id, sum(x) over (partition by upper(s) <= 'X2', b order by -f, id) from wt where id < 30 order by id;
select id, ntile(3) over (order by upper(s) <= 'X2', id desc), lag(id) over (order by -n, id) from wt where id < 30 order by id;
select id, row_number() over (order by (select max(y) from wt) - abs(x), id), rank() over (order by s || 'x' desc), rank() over (order by case when b then 1 else -abs(x) end) from wt where id < 30 order by id;
select array_agg(id order by -abs(x), id), string_agg(s, ',' order by upper(s) <= 'X2', id) from wt where id < 20;
select distinct on (-abs(x)) -abs(x), id from wt order by -abs(x), id desc;
select id from wt order by -abs(x), upper(s) <= 'X2', id limit 5;

-- ARRAY[(query)] has one element, ARRAY(query) as many as rows.
select array[(select id from t where false)], array(select id from t where false), array[(select id from t where id = 1)];
select array[(select id from t)];
select id, array[(select u.x from t u where u.id = t.id + 1), 7], array[array[(select u.x from t u where u.id = t.id + 1)]] from t order by id;

-- Frames without variables.
select sum(id) over (rows between x preceding and current row) from t;
select sum(id) over (order by id range between id preceding and current row) from t;
select sum(id) over (order by id groups between 1 + 1 preceding and current row) from t;

-- Names of subqueries, and one subquery in two places.
select (select 1 + 1)::text, case when true then null else (select -x from t where id = 1) end, (select max(x) from t)::numeric from t order by 1;
select id, array(select s.x from t s where s.id <> t.id group by s.x order by 1) from t order by 2 desc, 1;

-- Counts of no rows, and subqueries that depend on what has no order.
CREATE TABLE counted (c0 int primary key, c1 int, c5 boolean, c9 json, f float8);
INSERT INTO counted VALUES (1,1,true,'{"a":1}',1.5),(2,2,false,NULL,2.5),(3,NULL,NULL,'[1]','NaN');
CREATE TABLE none_counted (c0 int primary key, f float8);
SELECT a.c0, (SELECT regr_count(5, a.c0) FILTER (WHERE b.c5) FROM counted b WHERE b.c0 = a.c0 + 100) FROM counted a ORDER BY 1;
SELECT a.c0, (SELECT regr_count(b.c0, b.c1) + 1 FROM counted b WHERE b.c0 > a.c0) FROM counted a ORDER BY 1;
SELECT a.c0, x.n FROM counted a LEFT JOIN LATERAL (SELECT regr_count(b.c0, b.c1) n FROM counted b WHERE b.c0 > a.c0 + 1) x ON true ORDER BY 1;
SELECT sum(f), regr_count(f, f), count(*), count(f), regr_avgx(f, f) FROM none_counted;
SELECT sum(f), regr_count(f, f), count(*) FROM counted WHERE c0 > 50;
SELECT a.c0, (SELECT b.c0 FROM counted b WHERE ROW(a.c1, json_extract_path_text(a.c9, 'a')) IS NULL ORDER BY 1 LIMIT 1) FROM counted a ORDER BY 1;
SELECT a.c0, (SELECT max(b.c0) FROM counted b WHERE a.c9 ->> 'a' = b.c0::text) FROM counted a ORDER BY 1;
SELECT a.c0, x.* FROM counted a, LATERAL (SELECT b.c0, a.c9 ->> 'a' FROM counted b WHERE b.c0 < a.c0 ORDER BY 1 LIMIT 1) x ORDER BY 1;
SELECT DISTINCT c9 FROM counted;
SELECT c9 FROM counted UNION SELECT c9 FROM counted;
SELECT count(DISTINCT c9) FROM counted;
SELECT c9, count(*) FROM counted GROUP BY c9;

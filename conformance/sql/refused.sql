-- Statements that PostgreSQL answers and we refuse, one a line (refusals.py).
SELECT B'101'
SELECT substring('foobar' similar '%#"o_b#"%' escape '#')
SELECT 'abc' ~ '\ma', 'foo bar' ~ '\yfoo\y'
SELECT 'aa' ~ '(a)\1'
SELECT 'ab' ~ '(?=a)ab'
SELECT jsonb_path_query('{"a":[1,2,3]}','$.a[*] ? (@ > 1)')
SELECT jsonb_path_exists('{"a":1}','$.a'), '{"a":1}'::jsonb @? '$.a'
SELECT * FROM jsonb_to_recordset('[{"a":1,"b":"x"}]') AS x(a int, b text)
SELECT id, sum(id) OVER (ORDER BY d RANGE BETWEEN INTERVAL '10 days' PRECEDING AND CURRENT ROW) FROM t ORDER BY id
SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW) FROM t ORDER BY id
SELECT t FROM t ORDER BY id LIMIT 1
SELECT count(t) FROM t
SELECT * FROM ROWS FROM (generate_series(1,2), generate_series(5,7)) AS x(a,b)
SELECT corr(id,val), regr_slope(val,id), covar_pop(id,val) FROM t
SELECT inet '192.168.1.1', '10.0.0.0/8'::cidr >> inet '10.1.1.1'
SELECT '[1,5)'::int4range @> 3, int4range(1,5)
SELECT 12.34::money
SELECT '08:00:2b:01:02:03'::macaddr
SELECT current_date = CURRENT_DATE, CURRENT_TIME IS NOT NULL, LOCALTIME IS NOT NULL

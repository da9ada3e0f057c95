-- Functions whose answers were other than PostgreSQL's.
select age(timestamp '2024-01-31', timestamp '2024-02-29'), age(timestamp '2024-02-28', timestamp '2024-03-31'), age(timestamp '2024-05-31', timestamp '2024-02-29')
--: ["age interval", "age interval", "age interval"]
--: ["-29 days", "-1 mons -3 days", "3 mons 2 days"]

select '"str"'::jsonb ->> 0, '"x"'::jsonb -> 0, '"x"'::jsonb ->> -1, '1'::jsonb -> 1, '"x"'::json -> 0
--: ["?column? text", "?column? jsonb", "?column? text", "?column? jsonb", "?column? json"]
--: ["str", "\"x\"", "x", null, null]

select '{"a":"\u0000"}'::json ->> 'a'
--! 22P05 unsupported Unicode escape sequence

select '{"a":"\ud800"}'::json ->> 'a'
--! 22P02 invalid input syntax for type json

select convert_from('\x610062', 'UTF8')
--! 22021 invalid byte sequence for encoding "UTF8": 0x00

select json_build_object('2024-01-01 00:00:00+00'::timestamptz, 1)
--: ["json_build_object json"]
--: ["{\"2024-01-01T00:00:00+00:00\" : 1}"]

select 'infinity'::timestamptz at time zone interval '36 hours', 'infinity'::timestamp at time zone interval '1 hour'
--: ["timezone timestamp", "timezone timestamptz"]
--: ["infinity", "infinity"]

select make_timestamptz(2024, 1, 1, 0, 0, 0, '+2')
--: ["make_timestamptz timestamptz"]
--: ["2023-12-31 22:00:00+00"]

select regexp_match('abc', '(x)?b'), regexp_matches('a1b', '([a-z])(\d)?', 'g'), regexp_match('b', '(a*)b')
--: ["regexp_match _text", "regexp_matches _text", "regexp_match _text"]
--: ["{NULL}", "{a,1}", "{\"\"}"]
--: ["{NULL}", "{b,NULL}", "{\"\"}"]

select array_cat('{1,2}', '{{3,4}}'::int[]), '{{1,2}}'::int[] || '{{3,4}}'::int[]
--: ["array_cat _int4", "?column? _int4"]
--: ["{{1,2},{3,4}}", "{{1,2},{3,4}}"]

select array_cat('{1}'::int[], '{{1,2},{3,4}}')
--! 2202E cannot concatenate incompatible arrays

select array_position('{{1,2}}'::int[], 1)
--! 0A000 searching for elements in multidimensional arrays is not supported

select array_remove('{{1,2}}'::int[], 1)
--! 0A000 removing elements from multidimensional arrays is not supported

select stddev(x), variance(x) from (values (100000::numeric), (1.5), (50000.123)) v(x)
--: ["stddev numeric", "variance numeric"]
--: ["49999.25000131", "2499925000.69354300"]

select to_char(0, 'FM99999.99'), to_char('0044-03-15 BC'::date, 'CC'), to_char('2024-01-01 00:00+00'::timestamptz, 'of')
--: ["to_char text", "to_char text", "to_char text"]
--: ["0.", "-01", "+00"]

select '\101'::"char", null::int <> all('{}')
--: ["char char", "?column? bool"]
--: ["A", "t"]

select e ->> 'x', e from jsonb_array_elements('[{"x": 1}]'::jsonb) e
--: ["?column? text", "e jsonb"]
--: ["1", "{\"x\": 1}"]

set time zone 10.5
--: SET

select '2024-01-01 00:00:00+00'::timestamptz::text, current_setting('timezone')
--: ["text text", "current_setting text"]
--: ["2024-01-01 10:30:00+10:30", "<+10:30>-10:30"]

reset time zone
--: RESET

-- a row that is an error takes no numbers
CREATE TABLE numbered_rows (f1 text, f2 serial, f3 smallserial, f4 smallint)
INSERT INTO numbered_rows VALUES ('a', DEFAULT, DEFAULT, 1)
INSERT INTO numbered_rows VALUES ('a', DEFAULT, DEFAULT, 99999)
INSERT INTO numbered_rows (f1, f4) VALUES ('a', -99999)
INSERT INTO numbered_rows (f1, f3) VALUES ('a', 88888)
INSERT INTO numbered_rows (f1, f4) VALUES ('a', 'x')
INSERT INTO numbered_rows (f1, f4) VALUES ('a', 1), ('b', -99999)
INSERT INTO numbered_rows (f1, f4) VALUES ('a', 1), ('b', 1 + 99999)
SELECT nextval('numbered_rows_f2_seq'), nextval('numbered_rows_f3_seq')

-- a deferrable constraint is asked where no other is in the way
CREATE TABLE deferring (a int PRIMARY KEY, b int UNIQUE DEFERRABLE, c int)
INSERT INTO deferring VALUES (1, 1, 1) ON CONFLICT DO NOTHING
INSERT INTO deferring VALUES (1, 1, 1)
INSERT INTO deferring VALUES (1, 2, 1) ON CONFLICT DO NOTHING
INSERT INTO deferring VALUES (2, 1, 1) ON CONFLICT DO NOTHING
INSERT INTO deferring VALUES (1, 2, 5) ON CONFLICT (a) DO UPDATE SET c = excluded.c RETURNING *
INSERT INTO deferring VALUES (1, 2, 5) ON CONFLICT ON CONSTRAINT deferring_b_key DO NOTHING
INSERT INTO deferring VALUES (1, 2, 5), (NULL, 3, 3) ON CONFLICT DO NOTHING

-- literals of later rows are told before a conflict of earlier ones
CREATE TABLE conflicting (id int PRIMARY KEY, name text, size int)
INSERT INTO conflicting VALUES (0, 'a', 1), (1 + 1, 'b', 1), (1 + 1, 'c', 99999999999999999999) ON CONFLICT (id) DO UPDATE SET size = 3
INSERT INTO conflicting VALUES (0, 'a', 2), (1 + 1, 'b', 1), (1 + 1, 'c', 88888888888888888888) ON CONFLICT (id) DO UPDATE SET size = 3
INSERT INTO conflicting VALUES (0, 'a', 2), (1 + 1, 'b', 1), (1 + 1, 'c', 8) ON CONFLICT (id) DO UPDATE SET size = 3

-- Statements that PostgreSQL answers and we refuse, one a line (refusals.py).
SELECT B'101'
SELECT 12.34::money
SELECT current_date = CURRENT_DATE, CURRENT_TIME IS NOT NULL, LOCALTIME IS NOT NULL

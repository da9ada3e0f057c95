# pgbench: its tables are made and filled (COPY, keys, VACUUM left out), then its transaction runs.
set -e
BENCH=/usr/lib/postgresql/15/bin/pgbench
$BENCH -i -I dtgp -q 2>&1 | sed -E 's/[0-9.]+ s/T/g; s/\(.*\)//' | grep -v -e NOTICE -e 'of.*tuples' || true
$BENCH -i -I dtGp -q 2>&1 | grep -i error || true
$BENCH -n -t 20 -c 2 -M simple | grep -e processed -e failed
$BENCH -n -t 20 -c 2 -M extended | grep -e processed -e failed
$BENCH -n -t 20 -c 2 -M prepared -S | grep -e processed -e failed
psql -At -c 'SELECT count(*) FROM pgbench_accounts' -c 'SELECT count(*) FROM pgbench_history' -c 'SELECT sum(abalance) = (SELECT sum(bbalance) FROM pgbench_branches) FROM pgbench_accounts'

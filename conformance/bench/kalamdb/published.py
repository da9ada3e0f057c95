"""The names and published medians, and which names are not measured here, and why."""

from typing import Final

MEDIANS_MS: Final = {
    "create_table": 0.38,
    "drop_table": 4.6,
    "alter_table": 1.1,
    "single_insert": 0.27,
    "bulk_insert": 0.97,
    "transaction_multi_insert": 3.1,
    "large_payload_insert": 1.6,
    "wide_column_insert": 0.88,
    "select_all": 0.78,
    "select_by_filter": 0.39,
    "select_count": 0.60,
    "select_order_by_limit": 0.81,
    "point_lookup": 0.38,
    "aggregate_query": 27.6,
    "multi_table_join": 3.1,
    "single_update": 0.87,
    "single_delete": 1.25,
    "bulk_delete": 67.0,
    "sequential_crud": 2.0,
    "concurrent_insert": 1.26,
    "concurrent_select": 1.20,
    "concurrent_update": 3.2,
    "concurrent_mixed_dml": 3.2,
    "namespace_isolation": 1.8,
    "mixed_read_write": 2.1,
    "wide_fanout_query": 5.9,
    "sql_1k_concurrent": 152.0,
    "connection_storm": 273.0,
    "create_user": 1.2,
    "drop_user": 0.26,
    "subscribe_initial_load": 6.3,
    "subscribe_change_latency": 10.0,
    "reconnect_subscribe": 10.5,
    "flushed_parquet_query": 184.0,
}
"""Milliseconds; of subscribe_change_latency the lower of two that were told."""

ELSEWHERE: Final = {
    "subscriber_scale 1 000": "`conformance.bench.live --subscribers 1000`",
    "subscriber_scale 10 000": "`conformance.bench.live --subscribers 10000`; too many for PostgreSQL",
    "subscriber_scale 50 000": "more sockets than one client process may open here",
    "subscriber_scale 100 000": "more sockets than one client process may open here",
}
"""The rest of the list."""

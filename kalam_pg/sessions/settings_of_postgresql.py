"""PostgreSQL 15's settings that change no answer here: known by name, with its defaults and bounds.

Read from a running PostgreSQL 15. A line is: name, who may set it, kind, unit, default, then the bounds
of a number or the values of an enum (LEVELS are those of messages); a line with # names the category
of those that follow.

    u  anyone: kept and shown, and nothing else     r  not in a session: 55P02 "cannot be changed now"
    s  as u, superusers only                        p  not without a restart     b  not after the start
    f  only the default, as another value would promise what this server does not do     i  never
"""

TEXT = r"""
# Autovacuum
autovacuum r b - on
autovacuum_analyze_scale_factor r r - 0.1 0 100
autovacuum_analyze_threshold r i - 50 0 2147483647
autovacuum_freeze_max_age p i - 200000000 100000 2000000000
autovacuum_max_workers p i - 3 1 262143
autovacuum_multixact_freeze_max_age p i - 400000000 10000 2000000000
autovacuum_naptime r i s 60 1 2147483
autovacuum_vacuum_cost_delay r r ms 2 -1 100
autovacuum_vacuum_cost_limit r i - -1 -1 10000
autovacuum_vacuum_insert_scale_factor r r - 0.2 0 100
autovacuum_vacuum_insert_threshold r i - 1000 -1 2147483647
autovacuum_vacuum_scale_factor r r - 0.2 0 100
autovacuum_vacuum_threshold r i - 50 0 2147483647
# Client Connection Defaults / Locale and Formatting
default_text_search_config f s - pg_catalog.simple
timezone_abbreviations f s - ''
# Client Connection Defaults / Other Defaults
dynamic_library_path f s - $libdir
gin_fuzzy_search_limit u i - 0 0 2147483647
# Client Connection Defaults / Shared Library Preloading
jit_provider p s - llvmjit
local_preload_libraries f s - ''
session_preload_libraries f s - ''
shared_preload_libraries p s - ''
# Client Connection Defaults / Statement Behavior
default_toast_compression f e - pglz pglz,lz4
gin_pending_list_limit u i kB 4096 64 2147483647
restrict_nonsystem_relation_kind u s - ''
session_replication_role f e - origin origin,replica,local
temp_tablespaces f s - ''
vacuum_failsafe_age u i - 1600000000 0 2100000000
vacuum_freeze_min_age u i - 50000000 0 1000000000
vacuum_freeze_table_age u i - 150000000 0 2000000000
vacuum_multixact_failsafe_age u i - 1600000000 0 2100000000
vacuum_multixact_freeze_min_age u i - 5000000 0 1000000000
vacuum_multixact_freeze_table_age u i - 150000000 0 2000000000
xmlbinary f e - base64 base64,hex
# Connections and Authentication / Authentication
authentication_timeout r i s 60 1 600
db_user_namespace r b - off
# Connections and Authentication / Connection Settings
client_connection_check_interval u i ms 0 0 2147483647
superuser_reserved_connections p i - 3 0 262143
tcp_keepalives_count u i - 0 0 2147483647
tcp_keepalives_idle u i s 0 0 2147483647
tcp_keepalives_interval u i s 0 0 2147483647
tcp_user_timeout u i ms 0 0 2147483647
# Connections and Authentication / SSL
ssl r b - off
ssl_ca_file r s - ''
ssl_cert_file r s - server.crt
ssl_ciphers r s - HIGH:MEDIUM:+3DES:!aNULL
ssl_crl_dir r s - ''
ssl_crl_file r s - ''
ssl_dh_params_file r s - ''
ssl_ecdh_curve r s - prime256v1
ssl_key_file r s - server.key
ssl_max_protocol_version r e - '' "",TLSv1,TLSv1.1,TLSv1.2,TLSv1.3
ssl_min_protocol_version r e - TLSv1.2 TLSv1,TLSv1.1,TLSv1.2,TLSv1.3
ssl_passphrase_command r s - ''
ssl_passphrase_command_supports_reload r b - off
ssl_prefer_server_ciphers r b - on
# Developer Options
allow_in_place_tablespaces f b - off
allow_system_table_mods f b - off
backtrace_functions f s - ''
debug_discard_caches f i - 0 0 0
force_parallel_mode u e - off off,on,regress
ignore_checksum_failure f b - off
ignore_invalid_pages p b - off
ignore_system_indexes b b - off
jit_debugging_support b b - off
jit_dump_bitcode f b - off
jit_expressions u b - on
jit_profiling_support b b - off
jit_tuple_deforming u b - on
post_auth_delay b i s 0 0 2147
pre_auth_delay r i s 0 0 60
remove_temp_files_after_crash r b - on
trace_notify f b - off
trace_recovery_messages r e - log debug5,debug4,debug3,debug2,debug1,log,notice,warning,error
trace_sort u b - off
wal_consistency_checking f s - ''
zero_damaged_pages f b - off
# Error Handling
data_sync_retry p b - off
exit_on_error f b - off
recovery_init_sync_method r e - fsync fsync,syncfs
restart_after_crash r b - on
# Lock Management
deadlock_timeout s i ms 1000 1 2147483647
max_locks_per_transaction p i - 64 10 2147483647
max_pred_locks_per_page r i - 2 0 2147483647
max_pred_locks_per_relation r i - -2 -2147483648 2147483647
max_pred_locks_per_transaction p i - 64 10 2147483647
# Preset Options
block_size i i - 8192 8192 8192
data_checksums i b - off
data_directory_mode i i - 448 0 511
debug_assertions i b - off
max_function_args i i - 100 100 100
max_index_keys i i - 32 32 32
segment_size i i 8kB 131072 131072 131072
shared_memory_size i i MB 0 0 2147483647
shared_memory_size_in_huge_pages i i - -1 -1 2147483647
ssl_library i s - OpenSSL
wal_block_size i i - 8192 8192 8192
wal_segment_size i i B 16777216 1048576 1073741824
# Query Tuning / Genetic Query Optimizer
geqo_effort u i - 5 1 10
geqo_generations u i - 0 0 2147483647
geqo_pool_size u i - 0 0 2147483647
geqo_seed u r - 0 0 1
geqo_selection_bias u r - 2 1.5 2
geqo_threshold u i - 12 2 2147483647
# Query Tuning / Other Planner Options
constraint_exclusion u e - partition partition,on,off
cursor_tuple_fraction u r - 0.1 0 1
default_statistics_target u i - 100 1 10000
from_collapse_limit u i - 8 1 2147483647
join_collapse_limit u i - 8 1 2147483647
plan_cache_mode u e - auto auto,force_generic_plan,force_custom_plan
recursive_worktable_factor u r - 10 0.001 1e+06
# Query Tuning / Planner Cost Constants
cpu_index_tuple_cost u r - 0.005 0 1.79769e+308
cpu_operator_cost u r - 0.0025 0 1.79769e+308
cpu_tuple_cost u r - 0.01 0 1.79769e+308
effective_cache_size u i 8kB 524288 1 2147483647
jit_above_cost u r - 100000 -1 1.79769e+308
jit_inline_above_cost u r - 500000 -1 1.79769e+308
jit_optimize_above_cost u r - 500000 -1 1.79769e+308
min_parallel_index_scan_size u i 8kB 64 0 715827882
min_parallel_table_scan_size u i 8kB 1024 0 715827882
parallel_setup_cost u r - 1000 0 1.79769e+308
parallel_tuple_cost u r - 0.1 0 1.79769e+308
random_page_cost u r - 4 0 1.79769e+308
seq_page_cost u r - 1 0 1.79769e+308
# Query Tuning / Planner Method Configuration
enable_async_append u b - on
enable_gathermerge u b - on
enable_hashagg u b - on
enable_hashjoin u b - on
enable_incremental_sort u b - on
enable_indexonlyscan u b - on
enable_material u b - on
enable_memoize u b - on
enable_mergejoin u b - on
enable_nestloop u b - on
enable_parallel_append u b - on
enable_parallel_hash u b - on
enable_partition_pruning u b - on
enable_partitionwise_aggregate u b - off
enable_partitionwise_join u b - off
enable_sort u b - on
enable_tidscan u b - on
# Replication / Primary Server
synchronous_standby_names r s - ''
vacuum_defer_cleanup_age r i - 0 0 1000000
# Replication / Sending Servers
max_replication_slots p i - 10 0 262143
max_slot_wal_keep_size r i MB -1 -1 2147483647
max_wal_senders p i - 10 0 262143
track_commit_timestamp p b - off
wal_keep_size r i MB 0 0 2147483647
wal_sender_timeout u i ms 60000 0 2147483647
# Replication / Standby Servers
hot_standby p b - on
hot_standby_feedback r b - off
max_standby_archive_delay r i ms 30000 -1 2147483647
max_standby_streaming_delay r i ms 30000 -1 2147483647
primary_slot_name r s - ''
promote_trigger_file r s - ''
recovery_min_apply_delay r i ms 0 0 2147483647
wal_receiver_create_temp_slot r b - off
wal_receiver_status_interval r i s 10 0 2147483
wal_receiver_timeout r i ms 60000 0 2147483647
wal_retrieve_retry_interval r i ms 5000 1 2147483647
# Replication / Subscribers
max_logical_replication_workers p i - 4 0 262143
max_sync_workers_per_subscription r i - 2 0 262143
# Reporting and Logging / Process Title
cluster_name p s - ''
update_process_title s b - on
# Reporting and Logging / What to Log
debug_pretty_print u b - on
debug_print_parse u b - off
debug_print_plan u b - off
debug_print_rewritten u b - off
log_autovacuum_min_duration r i ms 600000 -1 2147483647
log_checkpoints r b - on
log_connections b b - off
log_disconnections b b - off
log_duration s b - off
log_error_verbosity s e - default terse,default,verbose
log_hostname r b - off
log_line_prefix r s - '%m [%p] '
log_lock_waits s b - off
log_parameter_max_length s i B -1 -1 1073741823
log_parameter_max_length_on_error u i B 0 -1 1073741823
log_recovery_conflict_waits r b - off
log_replication_commands s b - off
log_statement s e - none none,ddl,mod,all
log_temp_files s i kB -1 -1 2147483647
log_timezone r s - UTC
# Reporting and Logging / When to Log
log_min_duration_sample s i ms -1 -1 2147483647
log_min_duration_statement s i ms -1 -1 2147483647
log_min_error_statement s e - error LEVELS
log_min_messages s e - warning LEVELS
log_startup_progress_interval r i ms 10000 0 2147483647
log_statement_sample_rate s r - 1 0 1
log_transaction_sample_rate s r - 0 0 1
# Reporting and Logging / Where to Log
log_destination r s - stderr
log_directory r s - log
log_file_mode r i - 384 0 511
log_filename r s - postgresql-%Y-%m-%d_%H%M%S.log
log_rotation_age r i min 1440 0 35791394
log_rotation_size r i kB 10240 0 2097151
log_truncate_on_rotation r b - off
logging_collector p b - off
syslog_facility r e - local0 local0,local1,local2,local3,local4,local5,local6,local7
syslog_ident r s - postgres
syslog_sequence_numbers r b - on
syslog_split_messages r b - on
# Resource Usage / Asynchronous Behavior
backend_flush_after u i 8kB 0 0 256
effective_io_concurrency u i - 1 0 1000
maintenance_io_concurrency u i - 10 0 1000
max_parallel_maintenance_workers u i - 2 0 1024
max_parallel_workers u i - 8 0 1024
max_parallel_workers_per_gather u i - 2 0 1024
max_worker_processes p i - 8 0 262143
old_snapshot_threshold p i min -1 -1 86400
parallel_leader_participation u b - on
# Resource Usage / Background Writer
bgwriter_delay r i ms 200 10 10000
bgwriter_flush_after r i 8kB 64 0 256
bgwriter_lru_maxpages r i - 100 0 1073741823
bgwriter_lru_multiplier r r - 2 0 10
# Resource Usage / Cost-Based Vacuum Delay
vacuum_cost_delay u r ms 0 0 100
vacuum_cost_limit u i - 200 1 10000
vacuum_cost_page_dirty u i - 20 0 10000
vacuum_cost_page_hit u i - 1 0 10000
vacuum_cost_page_miss u i - 2 0 10000
# Resource Usage / Disk
temp_file_limit s i kB -1 -1 2147483647
# Resource Usage / Kernel Resources
max_files_per_process p i - 1000 64 2147483647
# Resource Usage / Memory
autovacuum_work_mem r i kB -1 -1 2147483647
dynamic_shared_memory_type p e - posix posix,sysv,mmap
hash_mem_multiplier u r - 2 1 1000
huge_page_size p i kB 0 0 2147483647
huge_pages p e - try off,on,try
logical_decoding_work_mem u i kB 65536 64 2147483647
maintenance_work_mem u i kB 65536 1024 2147483647
max_prepared_transactions p i - 0 0 262143
max_stack_depth s i kB 100 100 2147483647
min_dynamic_shared_memory p i MB 0 0 2147483647
shared_buffers p i 8kB 16384 16 1073741823
shared_memory_type p e - mmap sysv,mmap
temp_buffers u i 8kB 1024 100 1073741823
# Statistics / Cumulative Query and Index Statistics
stats_fetch_consistency u e - cache none,cache,snapshot
track_activities s b - on
track_activity_query_size p i B 1024 100 1048576
track_counts s b - on
track_functions s e - none none,pl,all
track_io_timing s b - off
track_wal_io_timing s b - off
# Statistics / Monitoring
compute_query_id s e - auto auto,regress,on,off
log_executor_stats s b - off
log_parser_stats s b - off
log_planner_stats s b - off
log_statement_stats s b - off
# Version and Platform Compatibility / Other Platforms and Clients
transform_null_equals f b - off
# Version and Platform Compatibility / Previous PostgreSQL Versions
lo_compat_privileges f b - off
quote_all_identifiers f b - off
synchronize_seqscans u b - on
# Write-Ahead Log / Archive Recovery
archive_cleanup_command r s - ''
recovery_end_command r s - ''
restore_command r s - ''
# Write-Ahead Log / Archiving
archive_command r s - ''
archive_library r s - ''
archive_mode p e - off always,on,off
archive_timeout r i s 0 0 1073741823
# Write-Ahead Log / Checkpoints
checkpoint_completion_target r r - 0.9 0 1
checkpoint_flush_after r i 8kB 32 0 256
checkpoint_timeout r i s 300 30 86400
checkpoint_warning r i s 30 0 2147483647
max_wal_size r i MB 1024 2 2147483647
min_wal_size r i MB 80 2 2147483647
# Write-Ahead Log / Recovery
recovery_prefetch r e - try off,on,try
wal_decode_buffer_size p i B 524288 65536 1073741823
# Write-Ahead Log / Recovery Target
recovery_target p s - ''
recovery_target_action p e - pause pause,promote,shutdown
recovery_target_inclusive p b - on
recovery_target_lsn p s - ''
recovery_target_name p s - ''
recovery_target_time p s - ''
recovery_target_timeline p s - latest
recovery_target_xid p s - ''
# Write-Ahead Log / Settings
commit_delay s i - 0 0 100000
commit_siblings u i - 5 0 1000
fsync r b - on
full_page_writes r b - on
wal_buffers p i 8kB -1 -1 262143
wal_compression s e - off pglz,lz4,zstd,on,off
wal_init_zero s b - on
wal_level p e - replica minimal,replica,logical
wal_log_hints p b - off
wal_recycle s b - on
wal_skip_threshold u i kB 2048 0 2147483647
wal_sync_method r e - fdatasync fsync,fdatasync,open_sync,open_datasync
wal_writer_delay r i ms 200 1 10000
wal_writer_flush_after r i 8kB 128 0 2147483647
"""

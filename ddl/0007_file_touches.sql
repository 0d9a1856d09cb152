-- Which tool call read, wrote, edited, deleted or moved which file. Rows lie by path, since that is what they are asked
-- by (read/file_history.py): of one file, or of all in a folder, across sessions. The index finds those of one session.
-- A move has two rows: of the old path (moved_to) and of the new one (moved_from).

CREATE TABLE IF NOT EXISTS file_touches /*ON CLUSTER*/
(
    org_id String,
    session_id String,
    path String,
    operation LowCardinality(String),
    message_ordinal UInt32,
    tool_use_id String,
    call_index UInt32,
    moved_from String,
    moved_to String,
    touched_at Nullable(DateTime64(6, 'UTC')),
    _version UInt64 DEFAULT toUnixTimestamp64Nano(now64(9)),
    _deleted UInt8 DEFAULT 0,
    INDEX session_ids session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX version_range _version TYPE minmax GRANULARITY 16
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, path, session_id, message_ordinal, tool_use_id, call_index)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

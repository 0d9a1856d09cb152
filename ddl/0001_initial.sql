-- The tables of agentstore. Sort keys hold only what never changes when a record is written again, so that a rewrite
-- replaces the row. The server fills _version: one clock decides which write was the last. _deleted = 1 is a tombstone,
-- which FINAL drops. No partitions: replacement never crosses one, and a partition per tenant makes a part per tenant
-- per insert. The deduplication window makes a retried block with the same token a no-op.
--
-- /*ON CLUSTER*/ and /*Replicated*/ are filled in when the schema is created on a cluster.

CREATE TABLE IF NOT EXISTS sessions /*ON CLUSTER*/
(
    org_id String,
    id String,
    user_id String,
    user_name String,
    project_id String,
    project_name String,
    project_path String,
    machine String,
    agent_type LowCardinality(String),
    first_message String,
    started_at Nullable(DateTime64(6, 'UTC')),
    ended_at Nullable(DateTime64(6, 'UTC')),
    message_count UInt32,
    user_message_count UInt32,
    parent_session_id String,
    relationship_type LowCardinality(String),
    source_created_at String,
    display_name String,
    git_branch String,
    total_output_tokens UInt64,
    peak_context_tokens UInt64,
    _version UInt64 DEFAULT toUnixTimestamp64Nano(now64(9)),
    _deleted UInt8 DEFAULT 0
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS messages /*ON CLUSTER*/
(
    org_id String,
    session_id String,
    ordinal UInt32,
    role LowCardinality(String),
    content String,
    timestamp Nullable(DateTime64(6, 'UTC')),
    has_thinking Bool,
    has_tool_use Bool,
    content_length UInt64,
    model LowCardinality(String),
    token_usage String,
    input_tokens UInt64,
    cache_read_tokens UInt64,
    cache_write_tokens UInt64,
    output_tokens UInt64,
    context_tokens UInt64,
    source_id String,
    _version UInt64 DEFAULT toUnixTimestamp64Nano(now64(9)),
    _deleted UInt8 DEFAULT 0
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, session_id, ordinal)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS tool_calls /*ON CLUSTER*/
(
    org_id String,
    session_id String,
    message_ordinal UInt32,
    tool_use_id String,
    call_index UInt32,
    tool_name LowCardinality(String),
    tool_category LowCardinality(String),
    input_json String,
    skill_name String,
    result_content String,
    result_content_length Nullable(UInt64),
    is_error Bool,
    subagent_session_id String,
    _version UInt64 DEFAULT toUnixTimestamp64Nano(now64(9)),
    _deleted UInt8 DEFAULT 0
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, session_id, message_ordinal, tool_use_id, call_index)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS git_links /*ON CLUSTER*/
(
    org_id String,
    session_id String,
    commit_sha String,
    pr_url String,
    user_id String,
    message_ordinal UInt32,
    link_type LowCardinality(String),
    confidence LowCardinality(String),
    detected_at Nullable(DateTime64(6, 'UTC')),
    _version UInt64 DEFAULT toUnixTimestamp64Nano(now64(9)),
    _deleted UInt8 DEFAULT 0
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, session_id, commit_sha, pr_url)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS session_stars /*ON CLUSTER*/
(
    org_id String,
    session_id String,
    user_id String,
    created_at Nullable(DateTime64(6, 'UTC')),
    _version UInt64 DEFAULT toUnixTimestamp64Nano(now64(9)),
    _deleted UInt8 DEFAULT 0
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, session_id, user_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS message_pins /*ON CLUSTER*/
(
    org_id String,
    session_id String,
    message_ordinal UInt32,
    user_id String,
    note String,
    created_at Nullable(DateTime64(6, 'UTC')),
    _version UInt64 DEFAULT toUnixTimestamp64Nano(now64(9)),
    _deleted UInt8 DEFAULT 0
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, session_id, message_ordinal, user_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS session_deletes /*ON CLUSTER*/
(
    org_id String,
    session_id String,
    user_id String,
    created_at Nullable(DateTime64(6, 'UTC')),
    _version UInt64 DEFAULT toUnixTimestamp64Nano(now64(9)),
    _deleted UInt8 DEFAULT 0
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, session_id)
SETTINGS non_replicated_deduplication_window = 1000;

-- Narrow copies of what lists and statistics read, and one of the sessions for looking them up. Each is filled by a view
-- that copies every block that is inserted into its table, tombstones too. They replace by the same keys and versions, so
-- the newest version of a copy is that of its row, and a block that is sent twice counts once: since 24.7 a block that is
-- known already is still handed to the views. A server that is killed between a block and its copy never told anybody
-- that the block is stored; its writer sends it again, and where nobody does, agentstore/write/mending.py finds it.
--
-- session, source and call are hashes, so that keys are narrow: of the session's id, of the message's source id (of
-- session and ordinal where it has none), and of the id and index of the call within its message.
--
-- session_rows is for sessions by their ids: its granules are small, and all fields are one column, because each column
-- that is read costs a quarter of a millisecond. They are those of a Session after its key, in the same order, as text;
-- times are in microseconds, "" where there is none (agentstore/read/session_rows.py). tool_call_facts has small blocks: a
-- list counts the calls of fifty sessions all over it, and a block of the usual size would hold those of hundreds.

CREATE TABLE IF NOT EXISTS session_facts /*ON CLUSTER*/
(
    org_id String,
    session UInt128,
    id String,
    started_at Nullable(DateTime64(6, 'UTC')),
    ended_at Nullable(DateTime64(6, 'UTC')),
    browsable Bool,
    written_in Bool,
    user_id LowCardinality(String),
    user_name LowCardinality(String),
    project_id LowCardinality(String),
    project_name LowCardinality(String),
    project_path LowCardinality(String),
    agent_type LowCardinality(String),
    git_branch LowCardinality(String),
    parent_session_id String,
    display_name String,
    message_count UInt32,
    total_output_tokens UInt64,
    peak_context_tokens UInt64,
    _version UInt64,
    _deleted UInt8
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, session);

CREATE MATERIALIZED VIEW IF NOT EXISTS session_facts_view /*ON CLUSTER*/ TO session_facts AS
    SELECT org_id, reinterpretAsUInt128(sipHash128(id)) AS session, id, started_at, ended_at,
        user_message_count > 0
            AND NOT (relationship_type = 'subagent' OR (relationship_type = '' AND parent_session_id != '')) AS browsable,
        user_message_count > 0 AS written_in, user_id, user_name, project_id, project_name, project_path, agent_type,
        git_branch, parent_session_id, display_name, message_count, total_output_tokens, peak_context_tokens,
        _version, _deleted
    FROM sessions;

CREATE TABLE IF NOT EXISTS session_rows /*ON CLUSTER*/
(
    org_id String,
    id String,
    fields Array(String),
    _version UInt64,
    _deleted UInt8
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, id)
SETTINGS index_granularity = 32, min_bytes_for_wide_part = 1000000000000, min_rows_for_wide_part = 1000000000000;

CREATE MATERIALIZED VIEW IF NOT EXISTS session_rows_view /*ON CLUSTER*/ TO session_rows AS
    SELECT org_id, id,
        [user_id, user_name, project_id, project_name, project_path, machine, toString(agent_type), first_message,
            ifNull(toString(toUnixTimestamp64Micro(started_at)), ''),
            ifNull(toString(toUnixTimestamp64Micro(ended_at)), ''), toString(message_count),
            toString(user_message_count), parent_session_id, toString(relationship_type), source_created_at,
            display_name, git_branch, toString(total_output_tokens), toString(peak_context_tokens),
            toString(copied_by)] AS fields, _version, _deleted
    FROM sessions;

CREATE TABLE IF NOT EXISTS message_facts /*ON CLUSTER*/
(
    org_id String,
    session UInt128,
    ordinal UInt32,
    source UInt128,
    model LowCardinality(String),
    timestamp Nullable(DateTime64(6, 'UTC')),
    input_tokens UInt64,
    cache_read_tokens UInt64,
    cache_write_tokens UInt64,
    cache_write_1h_tokens UInt64,
    output_tokens UInt64,
    reasoning_tokens UInt64,
    context_tokens UInt64,
    service_tier LowCardinality(String),
    web_searches UInt64,
    reported_cost_nanodollars UInt64,
    _version UInt64,
    _deleted UInt8
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, session, ordinal);

CREATE MATERIALIZED VIEW IF NOT EXISTS message_facts_view /*ON CLUSTER*/ TO message_facts AS
    SELECT org_id, reinterpretAsUInt128(sipHash128(session_id)) AS session, ordinal,
        reinterpretAsUInt128(if(source_id = '', sipHash128(session_id, ordinal), sipHash128(source_id))) AS source,
        model, timestamp, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens,
        reasoning_tokens, context_tokens, service_tier, web_searches, reported_cost_nanodollars, _version, _deleted
    FROM messages;

CREATE TABLE IF NOT EXISTS tool_call_facts /*ON CLUSTER*/
(
    org_id String,
    session UInt128,
    message_ordinal UInt32,
    call UInt64,
    tool_name LowCardinality(String),
    tool_category LowCardinality(String),
    is_error Bool,
    _version UInt64,
    _deleted UInt8
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, session, message_ordinal, call)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;

CREATE MATERIALIZED VIEW IF NOT EXISTS tool_call_facts_view /*ON CLUSTER*/ TO tool_call_facts AS
    SELECT org_id, reinterpretAsUInt128(sipHash128(session_id)) AS session, message_ordinal,
        sipHash64(tool_use_id, call_index) AS call, tool_name, tool_category, is_error, _version, _deleted
    FROM tool_calls;

CREATE TABLE IF NOT EXISTS git_link_facts /*ON CLUSTER*/
(
    org_id String,
    session UInt128,
    link UInt64,
    _version UInt64,
    _deleted UInt8
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, session, link)
SETTINGS index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS git_link_facts_view /*ON CLUSTER*/ TO git_link_facts AS
    SELECT org_id, reinterpretAsUInt128(sipHash128(session_id)) AS session, sipHash64(commit_sha, pr_url) AS link,
        _version, _deleted
    FROM git_links;

-- What is stored already, all versions of it: the views have copied what was written meanwhile.
INSERT INTO session_facts
    SELECT org_id, reinterpretAsUInt128(sipHash128(id)) AS session, id, started_at, ended_at,
        user_message_count > 0
            AND NOT (relationship_type = 'subagent' OR (relationship_type = '' AND parent_session_id != '')) AS browsable,
        user_message_count > 0 AS written_in, user_id, user_name, project_id, project_name, project_path, agent_type,
        git_branch, parent_session_id, display_name, message_count, total_output_tokens, peak_context_tokens,
        _version, _deleted
    FROM sessions;

INSERT INTO session_rows
    SELECT org_id, id,
        [user_id, user_name, project_id, project_name, project_path, machine, toString(agent_type), first_message,
            ifNull(toString(toUnixTimestamp64Micro(started_at)), ''),
            ifNull(toString(toUnixTimestamp64Micro(ended_at)), ''), toString(message_count),
            toString(user_message_count), parent_session_id, toString(relationship_type), source_created_at,
            display_name, git_branch, toString(total_output_tokens), toString(peak_context_tokens),
            toString(copied_by)] AS fields, _version, _deleted
    FROM sessions;

INSERT INTO message_facts
    SELECT org_id, reinterpretAsUInt128(sipHash128(session_id)) AS session, ordinal,
        reinterpretAsUInt128(if(source_id = '', sipHash128(session_id, ordinal), sipHash128(source_id))) AS source,
        model, timestamp, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens,
        reasoning_tokens, context_tokens, service_tier, web_searches, reported_cost_nanodollars, _version, _deleted
    FROM messages;

INSERT INTO tool_call_facts
    SELECT org_id, reinterpretAsUInt128(sipHash128(session_id)) AS session, message_ordinal,
        sipHash64(tool_use_id, call_index) AS call, tool_name, tool_category, is_error, _version, _deleted
    FROM tool_calls;

INSERT INTO git_link_facts
    SELECT org_id, reinterpretAsUInt128(sipHash128(session_id)) AS session, sipHash64(commit_sha, pr_url) AS link,
        _version, _deleted
    FROM git_links;

-- Last: what reads sessions here asks for this, so that nobody takes copies that are being filled for a store with little
-- in it. Until then a reader is told that the schema is older than the library.
ALTER TABLE session_facts /*ON CLUSTER*/ ADD COLUMN IF NOT EXISTS filled UInt8 ALIAS 1;

ALTER TABLE session_rows /*ON CLUSTER*/ ADD COLUMN IF NOT EXISTS filled UInt8 ALIAS 1;

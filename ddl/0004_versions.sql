-- Who wrote last is decided by the writer when it accepts a call: it sends _version with every row (the default stays for
-- rows that others insert by hand). Its clock is kept above everything that is stored, so that a server whose clock
-- stepped back loses nothing; the smallest and largest version of some thousand rows at a time make that look cheap.
--
-- A floor hides rows of a session that are older than itself: those that a replace or a removal took away, also where
-- they arrive late. Its own _version is the floor. scope 'content' is for messages and tool calls, 'marks' for links,
-- stars and pins; 'purged' says that the session must not be written again.
--
-- writers holds the numbers of the stores that write, so that no two of them ever draw the same version.

CREATE TABLE IF NOT EXISTS session_floors /*ON CLUSTER*/
(
    org_id String,
    scope LowCardinality(String),
    session_id String,
    _version UInt64 DEFAULT toUnixTimestamp64Nano(now64(9)),
    _deleted UInt8 DEFAULT 0,
    INDEX version_range _version TYPE minmax GRANULARITY 16
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, scope, session_id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS writers /*ON CLUSTER*/
(
    id UInt16,
    token String,
    seen DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = /*Replicated*/ReplacingMergeTree(seen)
ORDER BY (id, token)
TTL toDateTime(seen) + INTERVAL 1 DAY;

ALTER TABLE sessions /*ON CLUSTER*/ ADD INDEX IF NOT EXISTS version_range _version TYPE minmax GRANULARITY 16;

ALTER TABLE messages /*ON CLUSTER*/ ADD INDEX IF NOT EXISTS version_range _version TYPE minmax GRANULARITY 64;

ALTER TABLE tool_calls /*ON CLUSTER*/ ADD INDEX IF NOT EXISTS version_range _version TYPE minmax GRANULARITY 64;

ALTER TABLE git_links /*ON CLUSTER*/ ADD INDEX IF NOT EXISTS version_range _version TYPE minmax GRANULARITY 16;

ALTER TABLE session_stars /*ON CLUSTER*/ ADD INDEX IF NOT EXISTS version_range _version TYPE minmax GRANULARITY 2;

ALTER TABLE message_pins /*ON CLUSTER*/ ADD INDEX IF NOT EXISTS version_range _version TYPE minmax GRANULARITY 2;

ALTER TABLE session_deletes /*ON CLUSTER*/ ADD INDEX IF NOT EXISTS version_range _version TYPE minmax GRANULARITY 2;

ALTER TABLE sessions /*ON CLUSTER*/ MATERIALIZE INDEX version_range;

ALTER TABLE messages /*ON CLUSTER*/ MATERIALIZE INDEX version_range;

ALTER TABLE tool_calls /*ON CLUSTER*/ MATERIALIZE INDEX version_range;

ALTER TABLE git_links /*ON CLUSTER*/ MATERIALIZE INDEX version_range;

ALTER TABLE session_stars /*ON CLUSTER*/ MATERIALIZE INDEX version_range;

ALTER TABLE message_pins /*ON CLUSTER*/ MATERIALIZE INDEX version_range;

ALTER TABLE session_deletes /*ON CLUSTER*/ MATERIALIZE INDEX version_range;

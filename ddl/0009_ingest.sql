-- What was read of which file on which machine (agentstore/ingest): where reading goes on, by what it is seen that nothing
-- changed, and the sessions that are in it. source_id is made from the file's name and its first line: the same file is
-- found by it under another path, compressed, or on another machine. session_ids have zero bytes between them (and an
-- escape for those inside of one: write/joined.py). An original_id names what originals has of it.
--
-- originals are the records of these files, as they were, but for secrets; a part begins where the one before it ends.
-- Parts lie in the order in which they are read again. session_id is the file's own session, "" while it has none: what
-- removes that takes these rows along. data is packed (agentstore/packed.py): long parts come compressed.

CREATE TABLE IF NOT EXISTS source_files /*ON CLUSTER*/
(
    org_id String,
    machine String,
    path String,
    source_id String,
    importer LowCardinality(String),
    importer_version UInt32,
    root String,
    user_id String,
    user_name String,
    stat String,
    context String,
    size UInt64,
    outcome LowCardinality(String),
    session_ids String,
    original_id String,
    state String CODEC(ZSTD(3)),
    facts String CODEC(ZSTD(3)),
    _version UInt64 DEFAULT toUnixTimestamp64Nano(now64(9)),
    _deleted UInt8 DEFAULT 0,
    INDEX version_range _version TYPE minmax GRANULARITY 16
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, machine, path, source_id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS originals /*ON CLUSTER*/
(
    org_id String,
    original_id String,
    file String,
    start UInt64,
    end UInt64,
    session_id String,
    data String CODEC(ZSTD(1)),
    _version UInt64 DEFAULT toUnixTimestamp64Nano(now64(9)),
    _deleted UInt8 DEFAULT 0,
    INDEX session_ids session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX version_range _version TYPE minmax GRANULARITY 16
)
ENGINE = /*Replicated*/ReplacingMergeTree(_version, _deleted)
ORDER BY (org_id, original_id, file, start)
SETTINGS index_granularity = 64, non_replicated_deduplication_window = 1000;

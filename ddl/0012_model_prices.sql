-- What a model costs (agentstore/prices): in a tier of service, from midnight UTC of a day on. The model has the name that
-- the price list has for it, never one out of a message. Rows come from a price table of some date (source, prices_date);
-- edition orders these tables. Of the rows that are valid at a time, that of the latest edition counts, then the one of the
-- latest day. So a newer price table adds rows from its own date on, and nothing before that day changes; rows are never
-- taken away.
--
-- Prices are picodollars: 1 dollar for a million tokens is 1,000,000 for a token. A level begins at so many tokens of
-- input of a response, a part of the day at so many seconds after midnight UTC; prices are those of the first part's levels,
-- then those of the second's.

CREATE TABLE IF NOT EXISTS model_prices /*ON CLUSTER*/
(
    model String,
    tier LowCardinality(String),
    valid_from Date32,
    edition UInt64,
    source LowCardinality(String),
    prices_date Date32,
    levels Array(UInt64),
    day_parts Array(UInt32),
    input Array(UInt64),
    cache_read Array(UInt64),
    cache_write Array(UInt64),
    cache_write_1h Array(UInt64),
    output Array(UInt64),
    reasoning Array(UInt64),
    web_search Array(UInt64),
    request Array(UInt64)
)
ENGINE = /*Replicated*/ReplacingMergeTree(edition)
ORDER BY (model, tier, valid_from)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 1000;

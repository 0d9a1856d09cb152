-- What a response cost that its token columns do not tell: tokens written to the cache for an hour (a part of
-- cache_write_tokens), reasoning (a part of output_tokens), the service tier ("fast" where speed says so), and web
-- searches. All of it is read from token_usage, JSON as each agent writes it, so rows written before have it too: in the
-- background, and computed until then. Whatever does not look like a number of tokens is 0, and a part is never more
-- than the whole; a usage of more than 64 KiB is none. JSON is only parsed where a key that is looked for stands in it.
--
-- Keys: Claude Code (and agentsview's copies), Codex, Gemini, OpenCode, Copilot, Pi and OMP, and litellm for mini-SWE-agent.
-- Of agentsview a response may have several usages, one a line.
--
-- reported_cost_nanodollars is the agent's own figure for the response, which it tells or not.

ALTER TABLE messages /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS cache_write_1h_tokens UInt64 MATERIALIZED least(cache_write_tokens, multiIf(
        token_usage = '' OR length(token_usage) > 65536, 0,
        position(token_usage, '"cache_creation_token_details"') > 0, greatest(
            toUInt64OrZero(JSONExtractRaw(token_usage, 'cache_creation', 'ephemeral_1h_input_tokens')),
            toUInt64OrZero(JSONExtractRaw(
                token_usage, 'prompt_tokens_details', 'cache_creation_token_details', 'ephemeral_1h_input_tokens'))),
        position(token_usage, '"ephemeral_1h_input_tokens"') > 0,
        toUInt64OrZero(JSONExtractRaw(token_usage, 'cache_creation', 'ephemeral_1h_input_tokens')),
        position(token_usage, '"cacheWrite1h"') > 0, toUInt64OrZero(JSONExtractRaw(token_usage, 'cacheWrite1h')),
        position(token_usage, '"ephemeral1h"') > 0, toUInt64OrZero(JSONExtractRaw(token_usage, 'cttl', 'ephemeral1h')),
        0)),
    ADD COLUMN IF NOT EXISTS reasoning_tokens UInt64 MATERIALIZED least(output_tokens, multiIf(
        token_usage = '' OR length(token_usage) > 65536, 0,
        position(token_usage, '"reasoning_output_tokens"') > 0,
        toUInt64OrZero(JSONExtractRaw(token_usage, 'reasoning_output_tokens')),
        position(token_usage, '"thinking_tokens"') > 0,
        toUInt64OrZero(JSONExtractRaw(token_usage, 'output_tokens_details', 'thinking_tokens')),
        position(token_usage, '"reasoning_tokens"') > 0 AND position(token_usage, '\n') > 0,
        arraySum(arrayMap(n -> toUInt64OrZero(n), extractAll(token_usage, '"reasoning_tokens":([0-9]{1,9})[,}]'))),
        position(token_usage, '"reasoning_tokens"') > 0, greatest(
            toUInt64OrZero(JSONExtractRaw(token_usage, 'reasoning_tokens')),
            toUInt64OrZero(JSONExtractRaw(token_usage, 'completion_tokens_details', 'reasoning_tokens')),
            toUInt64OrZero(JSONExtractRaw(token_usage, 'output_tokens_details', 'reasoning_tokens'))),
        position(token_usage, '"thoughts"') > 0, toUInt64OrZero(JSONExtractRaw(token_usage, 'thoughts')),
        position(token_usage, '"reasoningTokens"') > 0, toUInt64OrZero(JSONExtractRaw(token_usage, 'reasoningTokens')),
        position(token_usage, '"reasoning"') > 0, toUInt64OrZero(JSONExtractRaw(token_usage, 'reasoning')),
        0)),
    ADD COLUMN IF NOT EXISTS service_tier LowCardinality(String) MATERIALIZED multiIf(
        token_usage = '' OR length(token_usage) > 65536, '',
        positionCaseInsensitive(token_usage, '"fast"') > 0 AND lower(JSONExtractString(token_usage, 'speed')) = 'fast',
        'fast',
        position(token_usage, '"service_tier"') > 0,
        extract(lower(JSONExtractString(token_usage, 'service_tier')), '^[a-z0-9_.-]{1,32}$'),
        ''),
    ADD COLUMN IF NOT EXISTS web_searches UInt64 MATERIALIZED least(1000000, multiIf(
        token_usage = '' OR length(token_usage) > 65536, 0,
        position(token_usage, '"webSearch"') > 0, toUInt64OrZero(JSONExtractRaw(token_usage, 'server', 'webSearch')),
        position(token_usage, '"web_search_requests"') = 0, 0,
        position(token_usage, '"prompt_tokens_details"') > 0, greatest(
            toUInt64OrZero(JSONExtractRaw(token_usage, 'server_tool_use', 'web_search_requests')),
            toUInt64OrZero(JSONExtractRaw(token_usage, 'prompt_tokens_details', 'web_search_requests'))),
        toUInt64OrZero(JSONExtractRaw(token_usage, 'server_tool_use', 'web_search_requests')))),
    ADD COLUMN IF NOT EXISTS reported_cost_nanodollars UInt64;

ALTER TABLE messages /*ON CLUSTER*/ MATERIALIZE COLUMN cache_write_1h_tokens;

ALTER TABLE messages /*ON CLUSTER*/ MATERIALIZE COLUMN reasoning_tokens;

ALTER TABLE messages /*ON CLUSTER*/ MATERIALIZE COLUMN service_tier;

ALTER TABLE messages /*ON CLUSTER*/ MATERIALIZE COLUMN web_searches;

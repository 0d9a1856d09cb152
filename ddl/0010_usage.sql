-- What a response cost that its other columns do not tell: tokens written to the cache for an hour (a part of
-- cache_write_tokens), reasoning (a part of output_tokens), the service tier ("fast" where the speed says so), and web
-- searches. All of it is read from token_usage, JSON as each agent writes it, so that rows written before have it too: in
-- the background, and computed until then. What is no whole number is 0, and a part is never more than the whole; a usage
-- of more than 64 KiB is none.
--
-- Keys: Claude Code (and agentsview's copies), Codex, Gemini, OpenCode, Copilot, Pi and OMP, and litellm for mini-SWE-agent;
-- of agentsview a response may have several usages, one a line. An INSERT evaluates all branches of such an expression. So
-- that little is parsed, JSON functions get an empty text where the key is not there, or only zeros are.
--
-- reported_cost_nanodollars is the agent's own figure for the response; 0 where it says none.

ALTER TABLE messages /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS cache_write_1h_tokens UInt64 MATERIALIZED least(cache_write_tokens, greatest(
        toUInt64OrZero(JSONExtractRaw(if(cache_write_tokens > 0 AND length(token_usage) <= 65536
            AND countSubstrings(token_usage, '"ephemeral_1h_input_tokens":')
                > countSubstrings(token_usage, '"ephemeral_1h_input_tokens":0'),
            token_usage, ''), 'cache_creation', 'ephemeral_1h_input_tokens')),
        toUInt64OrZero(JSONExtractRaw(if(cache_write_tokens > 0 AND length(token_usage) <= 65536
            AND position(token_usage, '"cache_creation_token_details"') > 0,
            token_usage, ''), 'prompt_tokens_details', 'cache_creation_token_details', 'ephemeral_1h_input_tokens')),
        toUInt64OrZero(JSONExtractRaw(if(cache_write_tokens > 0 AND length(token_usage) <= 65536
            AND position(token_usage, '"cacheWrite1h"') > 0, token_usage, ''), 'cacheWrite1h')),
        toUInt64OrZero(JSONExtractRaw(if(cache_write_tokens > 0 AND length(token_usage) <= 65536
            AND position(token_usage, '"ephemeral1h"') > 0, token_usage, ''), 'cttl', 'ephemeral1h')))),
    ADD COLUMN IF NOT EXISTS reasoning_tokens UInt64 MATERIALIZED least(output_tokens, greatest(
        toUInt64OrZero(JSONExtractRaw(if(output_tokens > 0 AND length(token_usage) <= 65536
            AND position(token_usage, '"reasoning_output_tokens"') > 0,
            token_usage, ''), 'reasoning_output_tokens')),
        toUInt64OrZero(JSONExtractRaw(if(output_tokens > 0 AND length(token_usage) <= 65536
            AND position(token_usage, '"thinking_tokens"') > 0,
            token_usage, ''), 'output_tokens_details', 'thinking_tokens')),
        toUInt64OrZero(JSONExtractRaw(if(output_tokens > 0 AND length(token_usage) <= 65536
            AND position(token_usage, '"reasoning_tokens"') > 0, token_usage, ''), 'reasoning_tokens')),
        toUInt64OrZero(JSONExtractRaw(if(output_tokens > 0 AND length(token_usage) <= 65536
            AND position(token_usage, '"completion_tokens_details"') > 0,
            token_usage, ''), 'completion_tokens_details', 'reasoning_tokens')),
        toUInt64OrZero(JSONExtractRaw(if(output_tokens > 0 AND length(token_usage) <= 65536
            AND position(token_usage, '"output_tokens_details"') > 0,
            token_usage, ''), 'output_tokens_details', 'reasoning_tokens')),
        toUInt64OrZero(JSONExtractRaw(if(output_tokens > 0 AND length(token_usage) <= 65536
            AND position(token_usage, '"thoughts"') > 0, token_usage, ''), 'thoughts')),
        toUInt64OrZero(JSONExtractRaw(if(output_tokens > 0 AND length(token_usage) <= 65536
            AND position(token_usage, '"reasoningTokens"') > 0, token_usage, ''), 'reasoningTokens')),
        toUInt64OrZero(JSONExtractRaw(if(output_tokens > 0 AND length(token_usage) <= 65536
            AND position(token_usage, '"reasoning"') > 0, token_usage, ''), 'reasoning')),
        arraySum(arrayMap(number -> toUInt64OrZero(number), extractAll(
            if(length(token_usage) <= 65536 AND position(token_usage, '\n') > 0, token_usage, ''),
            '"reasoning_tokens":([0-9]{1,9})[,}]'))))),
    ADD COLUMN IF NOT EXISTS service_tier LowCardinality(String) MATERIALIZED multiIf(
        lower(JSONExtractRaw(if(length(token_usage) <= 65536 AND positionCaseInsensitive(token_usage, '"fast"') > 0,
            token_usage, ''), 'speed')) = '"fast"',
        'fast',
        countSubstrings(token_usage, '"service_tier":') = 1 AND position(token_usage, '"service_tier":"standard"') > 0
            AND length(token_usage) <= 65536 AND startsWith(token_usage, '{') AND endsWith(token_usage, '}'),
        'standard',
        extract(lower(JSONExtractRaw(if(length(token_usage) <= 65536
            AND countSubstrings(token_usage, '"service_tier":')
                > countSubstrings(token_usage, '"service_tier":"standard"'),
            token_usage, ''), 'service_tier')), '^"([a-z][a-z0-9_.-]{0,31})"$')),
    ADD COLUMN IF NOT EXISTS web_searches UInt64 MATERIALIZED least(1000000, greatest(
        toUInt64OrZero(JSONExtractRaw(if(length(token_usage) <= 65536
            AND countSubstrings(token_usage, '"web_search_requests":')
                > countSubstrings(token_usage, '"web_search_requests":0'),
            token_usage, ''), 'server_tool_use', 'web_search_requests')),
        toUInt64OrZero(JSONExtractRaw(if(length(token_usage) <= 65536
            AND position(token_usage, '"web_search_requests"') > 0
            AND position(token_usage, '"prompt_tokens_details"') > 0,
            token_usage, ''), 'prompt_tokens_details', 'web_search_requests')),
        toUInt64OrZero(JSONExtractRaw(if(length(token_usage) <= 65536
            AND position(token_usage, '"webSearch"') > 0, token_usage, ''), 'server', 'webSearch')))),
    ADD COLUMN IF NOT EXISTS reported_cost_nanodollars UInt64;

ALTER TABLE messages /*ON CLUSTER*/ MATERIALIZE COLUMN cache_write_1h_tokens;

ALTER TABLE messages /*ON CLUSTER*/ MATERIALIZE COLUMN reasoning_tokens;

ALTER TABLE messages /*ON CLUSTER*/ MATERIALIZE COLUMN service_tier;

ALTER TABLE messages /*ON CLUSTER*/ MATERIALIZE COLUMN web_searches;

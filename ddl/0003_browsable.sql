-- Whether a session is shown in lists: somebody wrote in it, and it is no subagent. A subagent says so, or has a parent
-- and does not say what it is; continuations and forks stand for themselves. Every list, count and statistic asks for
-- this, and one byte is read in place of three columns. Rows written before get theirs in the background, and are
-- computed until then.

ALTER TABLE sessions /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS browsable Bool MATERIALIZED user_message_count > 0
        AND NOT (relationship_type = 'subagent' OR (relationship_type = '' AND parent_session_id != ''));

ALTER TABLE sessions /*ON CLUSTER*/ MATERIALIZE COLUMN browsable;

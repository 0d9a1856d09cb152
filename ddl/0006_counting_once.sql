-- What is counted once. A fork, a resume or a second copy of a session holds messages that another session has, too:
-- each of them counts in one of these sessions only, its owner. Who owns what is decided when sessions are written
-- (agentstore/write/families.py), and stands in session_floors under the scope 'copies': rows of the session below
-- own_from are copies, and so are those at copied_ordinals; copied_links are hashes of its links that another session
-- of the family has. Every session of a family has such a row, also one that owns all it has.
--
-- message_sources finds those families: which sessions hold a message of this source_id. It may name sessions that have
-- it no more, and never lacks one that was written since.
--
-- subagent: tokens and tools of a subagent count for its root session. browsable is the same for lists (0003).

CREATE TABLE IF NOT EXISTS message_sources /*ON CLUSTER*/
(
    org_id String,
    source UInt64,
    session_id String
)
ENGINE = /*Replicated*/ReplacingMergeTree
ORDER BY (org_id, source, session_id)
SETTINGS index_granularity = 256;

ALTER TABLE session_floors /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS own_from UInt32,
    ADD COLUMN IF NOT EXISTS copied_ordinals Array(UInt32),
    ADD COLUMN IF NOT EXISTS copied_links Array(UInt64),
    ADD COLUMN IF NOT EXISTS copied_messages UInt32,
    ADD COLUMN IF NOT EXISTS copied_output_tokens UInt64,
    ADD COLUMN IF NOT EXISTS origin_session_id String;

ALTER TABLE sessions /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS subagent Bool MATERIALIZED relationship_type = 'subagent'
        OR (relationship_type = '' AND parent_session_id != '');

ALTER TABLE sessions /*ON CLUSTER*/ MATERIALIZE COLUMN subagent;

INSERT INTO message_sources (org_id, source, session_id)
    SELECT org_id, cityHash64(source_id), session_id FROM messages WHERE source_id != '';

-- What is counted once. A fork, a resume or a second copy of a session holds messages that another session has, too:
-- each of them counts in one of these sessions only, its owner. Who owns what is decided when sessions are written
-- (agentstore/write/families.py), and stands in session_floors under the scope 'copies': rows of the session below
-- own_from are copies, and so are those at copied_ordinals; copied_links are hashes of its links that another session
-- of the family has; from shared_until on its rows were nobody else's. Every session of a family has such a row, also one that owns all it has.
--
-- message_sources finds those families: which sessions hold a message of this source id, of which source is the hash. It
-- may name sessions that have it no more. It is written beside the messages; what it lacks, of a writer that was killed
-- in between, its caller was never told to be stored. Under the hash of a zero byte and its own id a session is marked
-- of which more than its own rows has to be looked at: it has a family, is a subagent, or has some.
--
-- Tokens and tools of a subagent count for its root session, origin_session_id in its row of scope 'subagents'; there
-- parent_session_id is what it says itself, which may be another subagent.
--
-- The other columns repeat what totals need of these sessions, so that a statistic reads all sessions once, and corrects
-- it by these few rows: the start of the session itself, and whether it counts, its user, project and agent, which are
-- those of the root.

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
    ADD COLUMN IF NOT EXISTS shared_until UInt32,
    ADD COLUMN IF NOT EXISTS copied_messages UInt32,
    ADD COLUMN IF NOT EXISTS copied_output_tokens UInt64,
    ADD COLUMN IF NOT EXISTS is_root Bool,
    ADD COLUMN IF NOT EXISTS origin_session_id String,
    ADD COLUMN IF NOT EXISTS parent_session_id String,
    ADD COLUMN IF NOT EXISTS started_at Nullable(DateTime64(6, 'UTC')),
    ADD COLUMN IF NOT EXISTS total_output_tokens UInt64,
    ADD COLUMN IF NOT EXISTS counts Bool,
    ADD COLUMN IF NOT EXISTS user_id String,
    ADD COLUMN IF NOT EXISTS user_name String,
    ADD COLUMN IF NOT EXISTS project_name String,
    ADD COLUMN IF NOT EXISTS agent_type LowCardinality(String);

INSERT INTO message_sources (org_id, source, session_id)
    SELECT org_id, halfMD5(source_id), session_id FROM messages WHERE source_id != '';

-- Of subagents of subagents up to the third; deeper ones count when one of them is written next.
INSERT INTO session_floors (org_id, scope, session_id, origin_session_id, parent_session_id, started_at,
        total_output_tokens, counts, user_id, user_name, project_name, agent_type, _version)
    WITH multiIf(b.id != '', b.parent, a.id != '', a.parent, s.parent) AS root,
        (SELECT groupArray((org_id, session_id)) FROM session_deletes FINAL) AS hidden
    SELECT s.org_id, 'subagents', s.id, root, s.parent, s.started_at, s.total_output_tokens,
        r.browsable AND NOT has(hidden, (s.org_id, s.id)) AND NOT has(hidden, (s.org_id, root)),
        r.user_id, r.user_name, r.project_name, r.agent_type, s.version
    FROM (SELECT org_id, id, parent_session_id AS parent, started_at, total_output_tokens, _version AS version
            FROM sessions FINAL WHERE relationship_type = 'subagent'
                OR (relationship_type = '' AND parent_session_id != '')) AS s
        LEFT ANY JOIN (SELECT org_id, id, parent_session_id AS parent FROM sessions FINAL
            WHERE relationship_type = 'subagent' OR (relationship_type = '' AND parent_session_id != '')) AS a
            ON a.org_id = s.org_id AND a.id = s.parent
        LEFT ANY JOIN (SELECT org_id, id, parent_session_id AS parent FROM sessions FINAL
            WHERE relationship_type = 'subagent' OR (relationship_type = '' AND parent_session_id != '')) AS b
            ON b.org_id = s.org_id AND b.id = a.parent
        LEFT ANY JOIN (SELECT org_id, id, browsable, user_id, user_name, project_name, agent_type
            FROM sessions FINAL) AS r ON r.org_id = s.org_id AND r.id = root;

-- Marks, so that whoever writes one of these sessions or its parent next looks closer.
INSERT INTO message_sources (org_id, source, session_id)
    SELECT org_id, halfMD5(concat('\0', id)), id
    FROM (SELECT org_id, arrayJoin([session_id, parent_session_id]) AS id FROM session_floors FINAL
            WHERE scope = 'subagents')
    WHERE id != '';

-- Whose record of a session this is, where it is not the agent's own: a program that read the agent's files and keeps
-- what it made of them in a database of its own. The agent's own files take the place of such a session.

ALTER TABLE sessions /*ON CLUSTER*/ ADD COLUMN IF NOT EXISTS copied_by LowCardinality(String);

"""Refuses statements that reach outside of the store: files, other hosts, programs. Decided by the engine's parser."""

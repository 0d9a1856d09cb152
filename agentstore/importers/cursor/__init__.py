"""Cursor: transcripts of agents, sessions of its CLI, and the editor's database."""

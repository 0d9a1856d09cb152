"""The client of a local store: finds the server that runs on its path, starts one where none does, or stops it.

It loads no engine and no server: all it shares with them is the directory.
"""

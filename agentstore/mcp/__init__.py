"""The history as tools for agents, over the Model Context Protocol: ``agentstore mcp``, extra ``agentstore[mcp]``.

Tools answer with handles; ``open`` is the only way to text. What is quoted from a session can be told from what the
tools say. Nothing here writes, and no organisation or store is named by an argument of a tool.

This package's import loads neither the SDK nor the store: ``serving`` does.
"""

"""``python -m agentstore.cli``, for where the script is not on the path."""

from agentstore.cli import program

program()

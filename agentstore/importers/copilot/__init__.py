"""GitHub Copilot: the CLI's events and the chats of VS Code."""

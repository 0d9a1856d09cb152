"""The server process: its arguments, in the foreground or in the background, and its life until a clean end."""

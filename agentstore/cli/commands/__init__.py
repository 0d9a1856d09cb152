"""The commands, one module for each group. They are cheap to import: what a command needs is loaded when it runs."""

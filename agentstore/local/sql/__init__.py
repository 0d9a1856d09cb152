"""What can be said of a statement from its text alone: tokens, kind, the parts of an INSERT; and quoting. Pure."""

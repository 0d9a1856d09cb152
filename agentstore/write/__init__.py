"""From records to committed rows."""

"""The database's tables, as numbered files applied once each."""

"""What keeps statements inside of the store: no files, no other hosts, no programs. Decided by the engine's parser."""

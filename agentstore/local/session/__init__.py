"""One client's session in the engine: settings, streams, inserts, external tables. Blocks, in the client's thread."""

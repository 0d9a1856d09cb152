"""From query text to the server and back: literals, the driver at the edge, and the pool."""

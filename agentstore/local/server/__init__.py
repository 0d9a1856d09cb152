"""The server on the event loop: sockets, packets, queries, and the bounds that hold over all clients."""

"""The reads: SQL constants and parameters in, Structs out. They see an ``Executor``, never the pool."""

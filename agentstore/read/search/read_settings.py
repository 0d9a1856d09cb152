"""The server's settings for the statements of a search."""

from __future__ import annotations

# Settings of a look at the indexes, which stops reading where it has enough. With the condition cache the server would
# remember of the granules that it did not read that nothing is there, and every later search for the same would pass
# them over: hits would be lost.
LOOK = {"use_query_condition_cache": 0}
# Settings of a statement that reads texts. Its blocks are larger than the usual 1 MB: the server compiles a regular
# expression once per block, which can take longer than its use. And threads share fewer rows than usual, because these
# rows are long: else one thread alone would read the texts of 160,000 of them.
SCAN = {
    **LOOK,
    "preferred_block_size_bytes": 16 << 20,
    "max_block_size": 65_409,
    "merge_tree_min_rows_for_concurrent_read": 8192,
    "merge_tree_min_bytes_for_concurrent_read": 16 << 20,
}

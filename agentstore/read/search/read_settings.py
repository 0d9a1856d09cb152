"""The server's settings for the statements of a search."""

from __future__ import annotations

# Settings of a look, which stops reading where it has enough. Of what it did not read the server's condition cache must
# not remember that nothing was there: a granule would be passed over by every search for the same.
LOOK = {"use_query_condition_cache": 0}
# Settings of a statement that reads texts. Granules are small, for single rows: blocks larger than the usual 1 MB, for
# the server compiles a regular expression once per block, which can take longer than its use; and threads that share
# fewer rows than usual, for these are long.
SCAN = {
    **LOOK,
    "preferred_block_size_bytes": 16 << 20,
    "max_block_size": 65_409,
    "merge_tree_min_rows_for_concurrent_read": 8192,
    "merge_tree_min_bytes_for_concurrent_read": 16 << 20,
}

-- requires: 26.4
-- Texts are read far more often than they are written, and reading them is mostly decompressing them. Newer servers
-- compress parts of 100 MB and more with ZSTD(3) (ClickHouse pull request 108786), which takes some 40 % less space and
-- makes a scan of all messages take three times as long. LZ4 is what servers had by default before, and what smaller
-- parts still have. Parts that are there change when they are merged. Whoever wants the space back sets another codec,
-- or none (RESET SETTING default_compression_codec). Servers before 26.6 may ignore it (ClickHouse issue 114138).

ALTER TABLE messages /*ON CLUSTER*/ MODIFY SETTING default_compression_codec = 'LZ4';

ALTER TABLE tool_calls /*ON CLUSTER*/ MODIFY SETTING default_compression_codec = 'LZ4';

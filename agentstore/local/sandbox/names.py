"""The engine's names for what is inside a store, in small letters. Whatever else the engine knows reaches outside.

So what a newer engine brings is refused until somebody has looked at it and listed it here. Functions and settings are
too many for that: of these the ones that reach outside are listed.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TABLE_FUNCTIONS = _words(
    "dictionary format fuzzjson generaterandom generateseries generate_series input merge mergetreeanalyzeindexes "
    "mergetreeanalyzeindexesuuid mergetreecodecblockcounts mergetreeindex mergetreeprojection mergetreetextindex null "
    "numbers numbers_mt primes sqlstandardvalues timeseriesdata timeseriesmetricfamilies timeseriesmetrics "
    "timeseriessamples timeseriesselector timeseriestags values view viewexplain viewifpermitted zeros zeros_mt"
)
ENGINES = _words(
    "aggregatingmergetree alias buffer coalescingmergetree collapsingmergetree dictionary generaterandom "
    "graphitemergetree join log materializedview memory merge mergetree null replacingmergetree "
    "replicatedaggregatingmergetree replicatedcoalescingmergetree replicatedcollapsingmergetree "
    "replicatedgraphitemergetree replicatedmergetree replicatedreplacingmergetree replicatedsummingmergetree "
    "replicatedversionedcollapsingmergetree set stripelog summingmergetree timeseries tinylog "
    "versionedcollapsingmergetree view windowview"
)
DATABASE_ENGINES = _words("atomic memory ordinary replicated")
# There are some 1,700 functions, so here what reaches outside is listed. Those that ask a model begin with ``ai``.
OUTSIDE_FUNCTIONS = frozenset({"file", "catboostevaluate"})
# They name a file or an address that is read or written, or hold an expression as text, which nobody here parses. And
# another dialect would have another parser than the one that is asked.
OUTSIDE_SETTINGS = _words(
    "additional_result_filter additional_table_filters "
    "dialect format_avro_schema_registry_url format_schema format_template_resultset format_template_row "
    "input_format_record_errors_file_path output_format_schema parallel_replicas_custom_key"
)
# Table functions that take a structure as text. The parser does not look into it, and defaults in it are expressions.
STRUCTURED = _words("format fuzzjson generaterandom input null values")
# Statements whose JSON from the parser is complete. Others may have parts that it leaves out.
STATEMENT_TYPES = _words(
    "AlterQuery CheckAllTablesQuery CheckTableQuery CreateIndexQuery CreateQuery CreateSQLFunctionQuery DeleteQuery "
    "DropIndexQuery DropQuery ExplainQuery InsertQuery KillQueryQuery OptimizeQuery RenameQuery "
    "SelectIntersectExceptQuery SelectQuery SelectWithUnionQuery SetQuery ShowColumnsQuery ShowIndexesQuery "
    "ShowTablesQuery SystemQuery TransactionControl UpdateQuery UseQuery"
)

-- requires: 26.4
-- Trigrams of the texts, folded by case: a prefilter for substring search that loses no hit of three characters or more.
-- caseFoldUTF8 and not lowerUTF8, which lowers a final sigma by its context and so would lose hits; toValidUTF8 because
-- folding refuses bytes that are no text, and with them the merge that builds the index. Rows written before are indexed
-- in the background.

ALTER TABLE messages /*ON CLUSTER*/
    ADD INDEX IF NOT EXISTS content_text content
    TYPE text(tokenizer = ngrams(3), preprocessor = caseFoldUTF8(toValidUTF8(content)));

ALTER TABLE tool_calls /*ON CLUSTER*/
    ADD INDEX IF NOT EXISTS input_text input_json
    TYPE text(tokenizer = ngrams(3), preprocessor = caseFoldUTF8(toValidUTF8(input_json))),
    ADD INDEX IF NOT EXISTS result_text result_content
    TYPE text(tokenizer = ngrams(3), preprocessor = caseFoldUTF8(toValidUTF8(result_content)));

ALTER TABLE messages /*ON CLUSTER*/ MATERIALIZE INDEX content_text;

ALTER TABLE tool_calls /*ON CLUSTER*/ MATERIALIZE INDEX input_text, MATERIALIZE INDEX result_text;

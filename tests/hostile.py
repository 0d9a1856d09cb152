"""Texts that break what is put together carelessly."""

from __future__ import annotations

TEXTS = {
    "quotes": "'\"`´‘’",
    "doubled quotes": "''''\"\"``",
    "closing quote": "x' OR '1'='1",
    "drop": "'; DROP TABLE sessions; --",
    "union": "x' UNION ALL SELECT name FROM system.tables --",
    "backslashes": "\\ \\\\ \\' \\n \\0 \\x41 \\",
    "only a backslash": "\\",
    "percent": "% %s %(x)s %d %% %",
    "underscores": "_%_",
    "braces": "{} {0} {org_id} {id:String} ${x} {{y}}",
    "comments": "-- a /* b */ # c",
    "open comment": "/*",
    "nul": "\0 before \0 after \0",
    "control": "".join(map(chr, range(32))) + "\x7f\x80\x9f",
    "newlines": "\r\n\n\r\u2028\u2029\x0b\x0c",
    "emoji": "😀👩‍👩‍👧‍👦🏳️‍🌈",
    "combining": "e\u0301 \u0301 ﷽",
    "directions": "\u202eabc\u202c \u200f\u200e\ufeff",
    "edges of planes": "\ud7ff\ue000\ufffd\uffff\U00010000\U0010ffff",
    "semicolons": ";;; INSERT INTO x FORMAT TSV\n\\N\t",
    "null words": "NULL nan true \\N",
    "spaces": "  \t ",
    "long": "a'\\\0😀" * 2_000,
}
# Half a character: what JavaScript and Windows make of a cut emoji.
SURROGATES = {
    "lone high": ("x\ud83dy", "x\ufffdy"),
    "lone low": ("\ude00", "\ufffd"),
    "wrong way round": ("\ude00\ud83d", "\ufffd\ufffd"),
    "two highs": ("\ud83d\ud83d", "\ufffd\ufffd"),
}

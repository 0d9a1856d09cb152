"""Values of secret names: in env and config texts, code, YAML, headers, URLs, options; and what only looks like one."""

from __future__ import annotations

import json

import pytest

from agentstore.masking import Masker
from tests.unit.masking_examples import fill

MASKER = Masker()
RANDOM = fill("{a6}7{a20}")  # as a machine makes them
UUID = "0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"


def masked(text: str) -> str:
    return MASKER.mask_text(text)


# (text, the secret in it, its kind)
SECRETS = [
    ("PASSWORD=hunter2", "hunter2", "password"),
    ("export DB_PASSWORD=letmein", "letmein", "password"),
    ("DB_PASSWORD='two words 4 $me'", "two words 4 $me", "password"),
    ('MYSQL_ROOT_PASSWORD="tiger"', "tiger", "password"),
    ("PGPASSWORD=a&b4;ls", "a&b4", "password"),
    ("SMTP_PASS=Zx81spectrum", "Zx81spectrum", "password"),
    (f"X_TOKEN={RANDOM}", RANDOM, "token"),
    (f"export GITEA_TOKEN={RANDOM} && make", RANDOM, "token"),
    (f"HEROKU_API_KEY={UUID}", UUID, "api-key"),
    (f"set API-KEY={RANDOM}", RANDOM, "api-key"),
    (f"STRIPE_SECRET_PROD={RANDOM}", RANDOM, "secret"),
    (f"AWS_SECRET_ACCESS_KEY={fill('{a20}+/{a17}1')}", fill("{a20}+/{a17}1"), "aws-secret-key"),
    (f"aws_secret_access_key = {fill('{a20}/{a18}1')}", fill("{a20}/{a18}1"), "aws-secret-key"),
    (f'"api_key": "{RANDOM}"', RANDOM, "api-key"),
    (f"'apiKey': '{RANDOM}'", RANDOM, "api-key"),
    (f"apiKey: `{RANDOM}`", RANDOM, "api-key"),
    (f'client_secret => "{RANDOM}"', RANDOM, "secret"),
    (f'token := "{RANDOM}"', RANDOM, "token"),
    ('password: str = "abc-123"', "abc-123", "password"),
    ('const password: string = "abc-123";', "abc-123", "password"),
    ('if password == "abc-123":', "abc-123", "password"),
    ('config["password"] = "abc-123"', "abc-123", "password"),
    ("password: hunter2", "hunter2", "password"),
    ("  db_password: s3cr3t!", "s3cr3t!", "password"),
    (f"accessToken: {RANDOM}", RANDOM, "token"),
    ('{"name": "DB_PASSWORD", "value": "tiger7"}', "tiger7", "password"),
    (f'{{"key":"API_TOKEN","value":"{RANDOM}"}}', RANDOM, "token"),
    ("${DB_PASSWORD:-tiger7}", "tiger7", "password"),
    (f"Authorization: Bearer {RANDOM}", RANDOM, "authorization"),
    (f"authorization: bearer {RANDOM}", RANDOM, "authorization"),
    (f'"Authorization": "Bearer {RANDOM}"', RANDOM, "authorization"),
    (f"Authorization: token {RANDOM}", RANDOM, "authorization"),
    (f"Proxy-Authorization: {RANDOM}", RANDOM, "authorization"),
    ("Authorization: Basic YWRhOmh1bnRlcjI=", "YWRhOmh1bnRlcjI=", "authorization"),
    (f"curl -H 'X-Api-Key: {RANDOM}' https://h", RANDOM, "api-key"),
    (f"PRIVATE-TOKEN: {RANDOM}", RANDOM, "token"),
    (f"//registry.npmjs.org/:_authToken={RANDOM}", RANDOM, "token"),
    (f"//registry.npmjs.org/:_auth={RANDOM}", RANDOM, "authorization"),
    (f"https://h/callback?access_token={RANDOM}&state=1", RANDOM, "token"),
    ("mysql --password hunter2 -u ada", "hunter2", "password"),
    ("mysql --password=hunter2 -u ada", "hunter2", "password"),
    (f"vercel --token {RANDOM}", RANDOM, "token"),
    (f"tool --api-key '{RANDOM}'", RANDOM, "api-key"),
    ("curl -s -u ada:hunter2 https://h", "hunter2", "password"),
    ('curl --user "ada:hunter2" https://h', "hunter2", "password"),
    ("machine h login ada password hunter2", "hunter2", "password"),
    ("sshpass -p hunter2 ssh h", "hunter2", "password"),
    ('{"auths": {"h": {"auth": "YWRhOmh1bnRlcjI="}}}', "YWRhOmh1bnRlcjI=", "authorization"),
    (f"AZURE_OPENAI_KEY={fill('{h32}')}", fill("{h32}"), "api-key"),
    ("<password>hunter2</password>", "hunter2", "password"),
    ("postgres://ada:hunter2@db.local:5432/x", "hunter2", "url-password"),
    ("git clone https://ada:p%40ss@github.com/o/r", "p%40ss", "url-password"),
    ("redis://:hunter2@h:6379/0", "hunter2", "url-password"),
    ("mongodb+srv://ada:p:w!$x@c0.mongodb.net", "p:w!$x", "url-password"),
    ("PASSWORD=84729184", "84729184", "password"),
    ('"password": "#Secret123!"', "#Secret123!", "password"),
    ('password = "@dmin1"', "@dmin1", "password"),
    (f"aws_secret_access_key={fill('/{a18}/{a19}1')}", fill("/{a18}/{a19}1"), "aws-secret-key"),
    ("amqp://guest:guest@h", "guest", "url-password"),
    ("postgres://ada:p@ss7word@h/x", "p@ss7word", "url-password"),
    (f"ENV API_TOKEN {RANDOM}", RANDOM, "token"),
    ("ENV DB_PASSWORD hunter2", "hunter2", "password"),
    (f"set -gx OPENAI_API_KEY {RANDOM}", RANDOM, "api-key"),
    (f"set -x MY_TOKEN {RANDOM};", RANDOM, "token"),
    (f"setx API_KEY {RANDOM}", RANDOM, "api-key"),
    ("define('DB_PASSWORD', 'hunter2');", "hunter2", "password"),
    (f"define( 'AUTH_KEY', '{RANDOM}' );", RANDOM, "api-key"),
    (f'os.getenv("API_KEY", "{RANDOM}")', RANDOM, "api-key"),
    (f'req.Header.Set("X-Api-Key", "{RANDOM}")', RANDOM, "api-key"),
    (f"SECRET_KEY_BASE={fill('{h64}')}", fill("{h64}"), "secret"),
    (f'"secret_key": "{RANDOM}"', RANDOM, "secret"),
    ("  password: aHVudGVyMiFaeA==", "aHVudGVyMiFaeA==", "password"),
    (f'<add key="ApiKey" value="{RANDOM}"/>', RANDOM, "api-key"),
    ('<setting name="DbPassword" value="hunter2"/>', "hunter2", "password"),
    (f"api.key={RANDOM}", RANDOM, "api-key"),
    (f"API Key: {RANDOM}", RANDOM, "api-key"),
    (f"Secret access key: {RANDOM}", RANDOM, "api-key"),
    (f"Authorization: SSWS {RANDOM}", RANDOM, "authorization"),
    (f"先に X_TOKEN={RANDOM}を設定", RANDOM, "token"),
    (f"„X_TOKEN={RANDOM}“ fehlt", RANDOM, "token"),
    (f"apiKey: {RANDOM}，然后", RANDOM, "api-key"),
    (f"--token {RANDOM}。", RANDOM, "token"),
]

HARMLESS = [
    '"auth": "YWJjZGVmZ2hpag=="', "login as ada with a password of your own", "CACHE_KEY=abc123def456",
    "PASSWORD=", "PASSWORD=$DB_PASSWORD", "PASSWORD=${DB_PASSWORD}", 'PASSWORD="$PW"', "PASSWORD=$(pass show db)",
    "PASSWORD=`cat f`", "PASSWORD=<your password>", "API_KEY=<your-key>", "API_KEY=your-key-here", "API_KEY=xxx",
    "API_KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxx", "API_KEY=sk-ant-...", "PASSWORD=changeme", "PASSWORD=********", "TOKEN=None",
    "PASSWORD=password", "password = None", "password=password", "token = os.environ['TOKEN']",
    'token = os.environ.get("GITHUB_TOKEN")', "const token = process.env.TOKEN", "apiKey: config.oracle.apiKey,",
    "password = get_password()", "password = form.cleaned_data['password']", "token = parser.next()",
    "def f(password: str, token: Optional[str] = None):", "password: string;", "apiKey: string", "token: Token,",
    "password: SecretStr", "if not token:", "token: &'a str", "secret: Option<String>", "password = newPassword",
    "token = request.headers.token", "secret=self.secret", 'password: "Password"', '"password": "Passwort"',
    '"password": "Please enter your password"', '"forgotPassword": "Forgot it?"', 'label = "password:"',
    "The password: it must have 8 characters", "token: 12", "max_tokens=4096", "input_tokens: 12345", "token_count=812",
    '"input_tokens":1234,"cache_read_input_tokens":5678', '"usage":{"output_tokens":99}', "PWD=/home/ada/src1",
    "PWD: '/Users/ada'",
    "password_hash = 'abc12345'", "tokenizer = 'cl100k_base'", "secret_name: db-credentials-1", "keyboard=qwerty123",
    '"type": "password1"', "api_key_id: abc12345678", "private_key: ~/.ssh/id_ed25519", "token: id-token-1",
    "next_page_token: CAUQAA8xyz123", "public_key=abcdef1234567890", '"apiKeySource":"ANTHROPIC_API_KEY"',
    "id-token: write", "secrets: inherit", "token: ${{ secrets.GITHUB_TOKEN }}", "password: {{ vault.password }}",
    "password: !vault |", "password: *default", "password=%s", "password={password}", 'f"password={pw1}"',
    "password: vault:kv/db#x1", "token=op://vault/item1/x", 'secret: "arn:aws:secretsmanager:eu:1:secret:x-1"',
    "Authorization: Bearer $TOKEN", "Authorization: Bearer <token>", 'f"Bearer {token}"', '"Bearer ${token}"',
    "the bearer authentication scheme", "Basic authentication", "basic configuration1", "Basic Rust-based",
    "https://github.com/o/r", "http://localhost:8080/@scope/x", "https://user@host/path", "ssh://git@github.com:22/o/r",
    "postgres://ada:$PGPASSWORD@h/x", "postgres://ada:${PW}@h", "postgres://user:password@host", "https://u:***@h",
    'f"postgres://{user}:{password}@{host}"', "postgres://%s:%s@%s/%s", "r'://[^:]+:([^@]+)@'",
    "docker run -u 1000:1000 x",
    "npx -y @scope/pkg@1.2.3", "a: b@c", "user:pass@", "--token-file x1234567", "--password-stdin",
    "--secret id=npm1,src=x1",
    "<password></password>", "<token>{token}</token>", "Map<String, Token>foo12345</p>", "token === undefined",
    "password must be at least 12 characters: Abc", "commit 0b6e2f4a51c74f0e9a532d8c6a1e7b010b6e2f4a",
    f"session: {UUID}",
    f"sessionId={UUID}", f'"uuid":"{UUID}"', "sha256=" + fill("{h64}"), "etag: " + fill("{h32}"),
    "publicKeyToken=1fc8b3b9a1e18e3b", '"required": ["password", "username1"]', '["token", "created_at_2026"]',
    'fill("password", "hunter2")', "columns = ('api_key', 'user1234')", "ENV TOKEN $TOKEN1", "ENV PATH_TOKEN",
    "set -x PATH",
    '"secret_key": 1.2e10345678', "https://u:pa@h?to=a@b.c", "http://h:80/a@b", f'"sessionKey": "agent:main:{UUID}"',
    "the API key: it has 40 letters", "api key", "Secret key: see above", '("token", "x")',
    "access key, 2 secret key, 3", "X_TOKEN=abc123def456…", "apiKey: abc123••••••", "password: contraseña1",
]  # fmt: skip


@pytest.mark.parametrize(("text", "secret", "kind"), SECRETS)
def test_a_secret_value_is_masked_and_nothing_else(text: str, secret: str, kind: str) -> None:
    expected = text.replace(secret, f"‹secret:{kind}›") if text.count(secret) == 1 else ""
    if not expected:  # the name is the same word
        before, _, after = text.rpartition(secret)
        expected = f"{before}‹secret:{kind}›{after}"
    assert masked(text) == expected
    assert masked(expected) == expected


def test_a_text_is_masked_as_in_a_record() -> None:
    """What a line says counts for the next one, which a text has as a line and a record as an escape."""
    for text, kind in (
        (f"env:\n  - name: X_TOKEN\n    value: {RANDOM}\n", "token"),
        (f'- name: X_TOKEN\r\n  value: "{RANDOM}"', "token"),
        ("machine h\n  login ada\n  password hunter2", "password"),
    ):
        got = masked(text)
        assert got == text.replace(RANDOM, f"‹secret:{kind}›").replace("hunter2", f"‹secret:{kind}›")
        assert json.loads(MASKER.mask(json.dumps({"text": text}).encode())) == {"text": got}
    for text in ("é PASSWORD=hunter2", "éPASSWORD=a&b4", f"→X_TOKEN={RANDOM}。", f"apiKey: {RANDOM}…", "日TOKEN=abc-1"):
        for escaped in (True, False):  # Python writes é as an escape, and most others as it is
            line = json.dumps({"text": text}, ensure_ascii=escaped)
            assert json.loads(masked(line)) == {"text": masked(text)}
    half = "\ud83d PASSWORD=hunter2\n\ude00"  # half characters are texts, too
    assert masked(half) == "\ud83d PASSWORD=‹secret:password›\n\ude00"


@pytest.mark.parametrize(("text", "secret", "kind"), SECRETS)
def test_the_same_within_json_within_json(text: str, secret: str, kind: str) -> None:
    """As a record holds it: a line of a text, of a text in a text, and one that ends there."""
    for before, after in (("", ""), ("one\n", "\nthree"), ("\t", "\r\n"), ('say "', '" now')):
        if after.startswith('"') and '"' in text:
            continue
        value: object = before + text + after
        for _ in range(3):
            line = json.dumps({"text": value, "uuid": UUID, "count": 1})
            got = json.loads(masked(line))
            assert got.keys() == {"text", "uuid", "count"}
            assert (got["uuid"], got["count"]) == (UUID, 1)
            inner = got["text"]
            while inner.startswith("{") and '"text"' in inner:
                inner = json.loads(inner)["text"]
            assert f"‹secret:{kind}›" in inner, line
            assert before + after == "" or inner.startswith(before)
            value = line


@pytest.mark.parametrize("text", HARMLESS)
def test_what_stands_for_a_secret_stays(text: str) -> None:
    assert masked(text) == text
    for _ in range(2):
        text = json.dumps({"text": f"x\n{text}\ny", "b": "c"})
        assert masked(text) == text


@pytest.mark.parametrize("name", ["password", "api_key", "token", "client_secret"])
def test_keys_of_records(name: str) -> None:
    for value in (12345678, 1.5, None, True, [RANDOM], {"type": "string"}, ""):
        line = json.dumps({name: value, "after": 1})
        assert masked(line) == line
    for line in (json.dumps({name: RANDOM, "after": 1}), json.dumps({name: RANDOM, "after": 1}, separators=(",", ":"))):
        assert json.loads(masked(line))[name].startswith("‹secret:")
        assert json.loads(masked(line))["after"] == 1


def test_a_name_at_the_end_of_a_string_has_no_value() -> None:
    for parts in (
        ["PASSWORD=", 12345678, "x"],
        ["token: ", "abc123def456"],
        ["secret=", None],
        ["x token=", {"y": "z1234567"}],
    ):
        for separators in ((",", ":"), (", ", ": ")):
            line = json.dumps(parts, separators=separators)
            assert masked(line) == line


def test_a_token_as_the_name_in_a_url() -> None:
    token = fill("ghp_{a36}")
    assert masked(f"https://{token}:x-oauth-basic@github.com/o/r") == (
        "https://‹secret:github-token›:x-oauth-basic@github.com/o/r"
    )
    assert masked(f"https://x-access-token:{token}@github.com/o/r") == (
        "https://x-access-token:‹secret:github-token›@github.com/o/r"
    )
    assert masked(f"https://{token}@github.com/o/r") == "https://‹secret:github-token›@github.com/o/r"


def test_a_secret_of_escaped_letters_is_one_secret() -> None:
    """Other programs escape what they like: < > & = + and / among them."""
    line = '{"text":"DB_PASSWORD\\u003dab\\u0026cd\\/12\\nnext"}'
    assert masked(line) == '{"text":"DB_PASSWORD\\u003d‹secret:password›\\nnext"}'


def test_a_text_with_real_newlines_and_lone_surrogates() -> None:
    assert masked("PASSWORD=hunter2\nTOKEN=\n\ud800") == "PASSWORD=‹secret:password›\nTOKEN=\n\ud800"
    text = "nothing here"
    assert MASKER.mask_text(text) is text
    data = b"nothing here"
    assert MASKER.mask(data) is data

"""Tokens that are known by their form: what their makers document, and what their prefixes say.

Adding one: a line here, with an example. ``tests/unit/test_masking_tokens.py`` takes its cases from this table.
"""

from __future__ import annotations

from agentstore.masking.rules import Rule

# In examples: {a} letters and digits, {w} those with _ and -, {h} hex, {u} A-Z and 2-7, {d} digits, {b} base64,
# {l} letters.
TOKEN_RULES = (
    # Code hosts.
    Rule(
        "github-token",
        rb"gh[pousr]_[0-9A-Za-z]{36,}",
        ("ghp_{a36}", "gho_{a36}", "ghs_{a36}", "ghu_{a36}", "ghr_{a36}"),
    ),
    Rule("github-token", rb"github_pat_[0-9A-Za-z_]{60,}", ("github_pat_{a22}_{a59}",)),
    Rule(
        "gitlab-token",
        rb"gl(?:pat|dt|rt|ptt|soat|imt|ft|oas|agent|ffct)-[0-9A-Za-z_-]{20,300}(?:\.[0-9A-Za-z]{2,9}){0,2}",
        ("glpat-{w20}", "gldt-{w20}", "glrt-{w20}", "glptt-{h40}", "glpat-{w30}.01.{h9}"),
    ),
    Rule("gitlab-token", rb"glcbt-[0-9A-Za-z]{1,5}_[0-9A-Za-z_-]{20,}", ("glcbt-64_{w20}",)),
    Rule("gitlab-token", rb"GR1348941[0-9A-Za-z_-]{20,}", ("GR1348941{w20}",)),
    Rule("bitbucket-token", rb"ATCTT3xFfG[0-9A-Za-z_=-]{50,}", ("ATCTT3xFfG{w180}",)),
    Rule("atlassian-token", rb"ATATT3[0-9A-Za-z_=-]{100,}", ("ATATT3{w186}",)),
    Rule(
        "sourcegraph-token",
        rb"sgp_(?:[0-9a-fA-F]{16}_|local_)?[0-9a-fA-F]{40}",
        ("sgp_{h40}", "sgp_{h16}_{h40}", "sgp_local_{h40}"),
        probe=rb"sgp_[0-9a-fl]",
    ),
    # Models.
    Rule(
        "anthropic-key",
        rb"sk-ant-[a-z]{3,8}[0-9]{2}-[0-9A-Za-z_-]{20,}",
        ("sk-ant-api03-{w93}AA", "sk-ant-oat01-{w93}AA"),
    ),
    Rule("openai-key", rb"sk-(?:proj|svcacct|admin|None)-[0-9A-Za-z_-]{20,}", ("sk-proj-{w74}T3BlbkFJ{w74}",)),
    Rule("openai-key", rb"sk-[0-9A-Za-z]{20}T3BlbkFJ[0-9A-Za-z]{20}", ("sk-{a20}T3BlbkFJ{a20}",)),
    Rule("openrouter-key", rb"sk-or-(?:v[0-9]-)?[0-9a-f]{32,}", ("sk-or-v1-{h64}",)),
    Rule("api-key", rb"sk-[0-9A-Za-z]{32,}", ("sk-{h32}", "sk-{a48}"), plain=True, probe=rb"sk-[0-9A-Za-z]{14}"),
    Rule("huggingface-token", rb"(?:hf|api_org)_[0-9A-Za-z]{34,}", ("hf_{l34}", "api_org_{l34}"), plain=True),
    Rule("groq-key", rb"gsk_[0-9A-Za-z]{48,}", ("gsk_{a52}",), plain=True),
    Rule("xai-key", rb"xai-[0-9A-Za-z]{70,}", ("xai-{a80}",)),
    Rule("perplexity-key", rb"pplx-[0-9A-Za-z]{40,}", ("pplx-{a48}",)),
    Rule("replicate-token", rb"r8_[0-9A-Za-z]{37,}", ("r8_{a37}",), plain=True),
    Rule("langsmith-key", rb"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}", ("lsv2_pt_{h32}_{h10}",)),
    Rule("tavily-key", rb"tvly-(?:dev-|prod-)?[0-9A-Za-z]{32,}", ("tvly-{a32}", "tvly-dev-{a32}")),
    # Clouds.
    Rule("aws-key-id", rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}", ("AKIA{u16}", "ASIA{u16}"), plain=True),
    Rule("aws-bedrock-key", rb"ABSK[0-9A-Za-z+/]{100,}={0,2}", ("ABSKQmVkcm9ja0FQSUtleS{b110}",)),
    Rule("google-api-key", rb"AIza[0-9A-Za-z_-]{35}", ("AIza{w35}",), plain=True),
    Rule("google-oauth-secret", rb"GOCSPX-[0-9A-Za-z_-]{28}", ("GOCSPX-{w28}",)),
    Rule("google-oauth-token", rb"ya29\.[0-9A-Za-z_.-]{30,}", ("ya29.a0{w120}",)),
    Rule("google-oauth-token", rb"1//0[0-9A-Za-z_-]{40,}", ("token 1//0{w60}",), near=b"token"),
    Rule("azure-secret", rb"Q~[0-9A-Za-z_~.-]{31,34}", ("{a3}8Q~{w34}",), behind=rb"[0-9A-Za-z_-]{3}[0-9]"),
    Rule(
        "azure-storage-key",
        rb"(?:AccountKey|SharedAccessKey)=[0-9A-Za-z+/]{43,}={0,2}",
        ("AccountKey={b86}==",),
        keep=rb"[A-Za-z]+=",
    ),
    Rule("azure-sas", rb"[?&]sig=[0-9A-Za-z%+/]{40,}={0,2}", ("?sig={a43}%3D",), keep=rb"[?&]sig="),
    Rule("digitalocean-token", rb"do[opr]_v1_[0-9a-f]{64}", ("dop_v1_{h64}", "doo_v1_{h64}")),
    Rule("alibaba-key-id", rb"LTAI[0-9A-Za-z]{20}", ("LTAI{a20}",), plain=True),
    Rule("cloudflare-key", rb"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}", ("v1.0-{h24}-{h146}",)),
    Rule("heroku-key", rb"HRKU-[0-9A-Za-z_-]{36,}", ("HRKU-AA{w58}",)),
    Rule("flyio-token", rb"fm[12][ar]?_[0-9A-Za-z+/]{100,}={0,3}", ("fm2_{b120}", "fm1r_{b120}")),
    Rule("databricks-token", rb"dapi[0-9a-f]{32}(?:-[0-9])?", ("dapi{h32}", "dapi{h32}-2")),
    Rule("clickhouse-cloud-key", rb"4b1d[0-9A-Za-z]{38}", ("4b1d{a38}",), plain=True),
    Rule(
        "planetscale-token", rb"pscale_(?:tkn|oauth|pw)_[0-9A-Za-z_.=-]{32,}", ("pscale_tkn_{w43}", "pscale_pw_{w43}")
    ),
    Rule("supabase-key", rb"sb(?:p|_secret)_[0-9A-Za-z_-]{30,}", ("sbp_{h40}", "sb_secret_{w31}")),
    Rule("terraform-token", rb"\.atlasv1\.[0-9A-Za-z_=-]{60,}", ("{a14}.atlasv1.{w67}",), behind=rb"[0-9A-Za-z]{14}"),
    Rule("vault-token", rb"hv[sb]\.[0-9A-Za-z_-]{24,}", ("hvs.{w95}", "hvb.{w140}")),
    Rule("doppler-token", rb"dp\.(?:pt|st|ct|sa|scim|audit)\.[0-9A-Za-z_.-]{40,}", ("dp.pt.{a43}",)),
    Rule("pulumi-token", rb"pul-[0-9a-f]{40}", ("pul-{h40}",), plain=True),
    Rule("onepassword-token", rb"ops_eyJ[0-9A-Za-z+/]{250,}={0,3}", ("ops_eyJ{b260}",)),
    Rule(
        "onepassword-key",
        rb"A3-[0-9A-Z]{6}-[0-9A-Z]{5,6}-?[0-9A-Z]{5,6}-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{5}",
        ("A3-{u6}-{u6}-{u5}-{u5}-{u5}-{u5}",),
    ),
    # Packages and containers.
    Rule("npm-token", rb"npm_[0-9A-Za-z]{36,}", ("npm_{a36}",)),
    Rule("pypi-token", rb"pypi-AgE[0-9A-Za-z_-]{50,}", ("pypi-AgEIcHlwaS5vcmc{w100}",)),
    Rule("rubygems-key", rb"rubygems_[0-9a-f]{48}", ("rubygems_{h48}",)),
    Rule("crates-token", rb"cio[0-9A-Za-z]{32}", ("cargo cio{a32}",), plain=True, near=b"crates|cargo"),
    Rule("docker-token", rb"dckr_[po]at_[0-9A-Za-z_-]{27,}", ("dckr_pat_{w27}", "dckr_oat_{w32}")),
    Rule("artifactory-key", rb"AKCp[0-9A-Za-z]{69}", ("AKCp{a69}",), plain=True),
    Rule("artifactory-key", rb"cmVmd[0-9A-Za-z]{59}", ("cmVmd{a59}",), plain=True),
    # Money.
    Rule(
        "stripe-key", rb"[sr]k_(?:live|test|prod)_[0-9A-Za-z]{10,}", ("sk_live_{a24}", "rk_live_{a99}", "sk_test_{a24}")
    ),
    Rule("stripe-webhook-secret", rb"whsec_[0-9A-Za-z+/=]{24,}", ("whsec_{a32}",)),
    Rule("shopify-token", rb"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}", ("shpat_{h32}", "shpss_{h32}")),
    Rule("square-token", rb"sq0[a-z]{3}-[0-9A-Za-z_-]{22,}", ("sq0atp-{w22}", "sq0csp-{w43}")),
    Rule("square-token", rb"EAAA[0-9A-Za-z_-]{60}", ("EAAA{w60}",), plain=True),
    # Messages.
    Rule(
        "slack-token",
        rb"xox[abeoprs](?:\.xox[bp])?-[0-9A-Za-z-]{10,}",
        ("xoxb-{d12}-{d12}-{a24}", "xoxp-{d12}-{d12}-{d12}-{h32}"),
    ),
    Rule("slack-token", rb"xapp-[0-9]-[0-9A-Z]{5,20}-[0-9]{5,20}-[0-9a-z]{20,}", ("xapp-1-{u11}-{d13}-{h64}",)),
    Rule(
        "slack-webhook",
        rb"hooks\.slack\.com/(?:services|workflows|triggers)/[0-9A-Za-z+/]{30,}",
        ("hooks.slack.com/services/T{u8}/B{u10}/{a24}",),
        keep=rb"[a-z./]+/",
    ),
    Rule(
        "teams-webhook",
        rb"webhook\.office\.com/webhookb2/[0-9a-f@-]{60,80}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36}",
        ("webhook.office.com/webhookb2/{h36}@{h36}/IncomingWebhook/{h32}/{h36}",),
        keep=rb"[a-z0-9./]+/webhookb2/",
    ),
    Rule(
        "discord-webhook",
        rb"discord(?:app)?\.com/api/webhooks/[0-9]{15,22}/[0-9A-Za-z_-]{50,}",
        ("discord.com/api/webhooks/{d18}/{w68}",),
        keep=rb"[a-z./]+/[0-9]+/",
    ),
    Rule(
        "discord-token",
        rb"\.[CDEGXYZ][0-9A-Za-z_-]{5}\.[0-9A-Za-z_-]{27,40}",
        ("M{a23}.G{w5}.{w27}", "N{a25}.X{a5}.{w38}"),
        behind=rb"[MNO][0-9A-Za-z_-]{23,25}",
        probe=rb"\.[CDEGXYZ][0-9A-Za-z_-]{5}\.[0-9A-Za-z_-]{8}",
    ),
    Rule("telegram-token", rb":AA[0-9A-Za-z_-]{33}", ("{d10}:AA{w33}",), behind=rb"[0-9]{8,10}"),
    Rule("twilio-key", rb"SK[0-9a-f]{32}", ("SK{h32}",), plain=True),
    Rule("sendgrid-key", rb"SG\.[0-9A-Za-z_-]{16,32}\.[0-9A-Za-z_-]{16,64}", ("SG.{w22}.{w43}",)),
    Rule("sendinblue-key", rb"xkeysib-[0-9a-f]{64}-[0-9A-Za-z]{16}", ("xkeysib-{h64}-{a16}",)),
    Rule("mailgun-key", rb"key-[0-9a-f]{32}", ("mailgun key-{h32}",), near=b"mailgun"),
    Rule("mailchimp-key", rb"-us[0-9]{1,2}", ("{h32}-us12",), behind=rb"[0-9a-f]{32}"),
    # Work.
    Rule("linear-key", rb"lin_(?:api|oauth)_[0-9A-Za-z]{40,}", ("lin_api_{a40}", "lin_oauth_{h64}")),
    Rule("notion-token", rb"ntn_[0-9]{11}[0-9A-Za-z]{35}", ("ntn_{d11}{a35}",)),
    Rule("notion-token", rb"secret_[0-9A-Za-z]{43}", ("secret_{a43}",)),
    Rule("postman-key", rb"PMAK-[0-9a-fA-F]{24}-[0-9a-fA-F]{34}", ("PMAK-{h24}-{h34}",)),
    Rule(
        "airtable-token",
        rb"pat[0-9A-Za-z]{14}\.[0-9a-f]{64}",
        ("pat{a14}.{h64}",),
        plain=True,
        probe=rb"pat[0-9A-Za-z]{14}\.",
    ),
    Rule("figma-token", rb"fig[dpo]_?[ru]?_[0-9A-Za-z_-]{40}", ("figd_{w40}",)),
    Rule("typeform-token", rb"tfp_[0-9A-Za-z_.=-]{59}", ("tfp_{w59}",)),
    Rule("readme-key", rb"rdme_[0-9a-z]{70}", ("rdme_{h70}",)),
    Rule("prefect-key", rb"pnu_[0-9A-Za-z]{36}", ("pnu_{a36}",), plain=True),
    # What watches.
    Rule("sentry-token", rb"sntry[su]_[0-9A-Za-z_+/=-]{40,}", ("sntryu_{h64}", "sntrys_eyJpYXQiO{b100}_{b43}")),
    Rule("grafana-token", rb"glsa_[0-9A-Za-z]{32}_[0-9A-Fa-f]{8}", ("glsa_{a32}_{h8}",)),
    Rule("grafana-token", rb"glc_[0-9A-Za-z+/]{32,}={0,3}", ("glc_{b80}",)),
    Rule("newrelic-key", rb"NRAK-[0-9A-Z]{27}", ("NRAK-{u27}",)),
    Rule("newrelic-key", rb"NRII-[0-9A-Za-z_-]{32}", ("NRII-{w32}",)),
    Rule("dynatrace-token", rb"dt0[a-z][0-9]{2}\.[0-9A-Z]{24}\.[0-9A-Z]{64}", ("dt0c01.{u24}.{u64}",)),
    Rule("posthog-key", rb"phx_[0-9A-Za-z]{40,}", ("phx_{a43}",), plain=True),
    # Everywhere.
    Rule(
        "jwt",
        rb"\.eyJ[0-9A-Za-z_-]{10,}(?:\.[0-9A-Za-z_-]{10,})?",
        ("eyJ{a33}.eyJ{w80}.{w43}",),
        behind=rb"eyJ[0-9A-Za-z_-]{10,}",
        reach=4096,
    ),
    Rule("age-key", rb"AGE-SECRET-KEY-1[0-9A-Z]{58}", ("AGE-SECRET-KEY-1{u58}",)),
    Rule("openshift-token", rb"sha256~[0-9A-Za-z_-]{43}", ("sha256~{w43}",)),
)

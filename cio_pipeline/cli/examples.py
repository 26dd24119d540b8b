"""What each verb is called like: shown at the end of its `--help` and in docs/cli.md."""

EXAMPLES = {
    "status": ("status", "status --json"),
    "top": ("top", "top --every 2 --feed calls"),
    "metrics": ("metrics", "metrics --port 9464", "metrics --file /var/lib/node_exporter/cio.prom"),
    "doctor": ("doctor", "doctor acme-v5 --window 2026-11-22T05:15", "doctor --json"),
    "alerts": ("alerts check",),
    "alerts check": ("alerts check", "alerts check --json"),
    "alerts test": ("alerts test", "alerts test --target env:OPS_SLACK"),
    "alerts list": ("alerts list",),
    "source": ("source status",),
    "source init": ("source init",),
    "source load": (
        "source load people people.csv",
        "source load calls calls.ndjson --workspace 1",
        "source load events old.parquet --at 2026-11-22T05:00 --quarantine-bad",
    ),
    "source pull": (
        "source pull calls --endpoint https://calls.example/v1 --token env:TOKEN --workspace 1",
    ),
    "source status": ("source status",),
    "source install": ("source install", "source install people events --apply"),
    "source uninstall": ("source uninstall", "source uninstall people --apply"),
    "source role": ("source role cio_reader",),
    "source prune": ("source prune",),
    "sync": ("sync list",),
    "sync apply": ("sync apply syncs.yaml", "sync apply syncs.yaml --at 2026-11-22T05:00"),
    "sync history": ("sync history acme-v5",),
    "sync key-preview": (
        "sync key-preview acme-messages --message messages.ndjson",
        "sync key-preview --template metadata.objectName --message message.json",
    ),
    "sync list": ("sync list",),
    "sync show": ("sync show acme-v5",),
    "sync pause": ("sync pause acme-v5", "sync pause acme-v5 --export people --export events"),
    "sync resume": ("sync resume acme-v5", "sync resume acme-v5 --export people"),
    "sync disable": ("sync disable acme-v5",),
    "sync enable": ("sync enable acme-v5",),
    "sync upgrade": (
        "sync upgrade beta-v4 --preview --dialect snowflake",
        "sync upgrade beta-v4",
        "sync upgrade beta-v4 --resend people",
    ),
    "sync purge": ("sync purge acme-v5", "sync purge acme-v5 --yes"),
    "sync recreate": ("sync recreate acme-v5", "sync recreate acme-v5 --yes"),
    "sync validate": ("sync validate", "sync validate acme-v5 beta-v4"),
    "sync policy": ("sync policy acme-v5",),
    "replay": (
        "replay acme-v5 --from 2026-11-22T05:00 --to 2026-11-22T06:00",
        "replay acme-v5 --from 2026-11-22T05:00 --to 2026-11-22T06:00 --export metrics",
    ),
    "reconcile": ("reconcile", "reconcile acme-v5 --day 2026-11-22 --keys --repair"),
    "expire": ("expire --dry-run", "expire acme-v5"),
    "erase": (
        "erase --workspace 1 ada@example.org --dry-run",
        "erase --workspace 1 ada@example.org --receipt ada.json",
        "erase verify ada.json",
    ),
    "contract": ("contract infer acme-v5",),
    "contract infer": ("contract infer acme-v5", "contract infer acme-v5 --days 7"),
    "contract check": (
        "contract check contracts/acme.yaml --sync acme-v5",
        "contract check contracts/acme.yaml --sync acme-v5 --window 2026-11-22T05:00",
        "contract check contracts/acme.yaml --sync acme-v5 --days 7 --json",
    ),
    "contract schema": ("contract schema",),
    "quarantine": ("quarantine list",),
    "quarantine list": ("quarantine list", "quarantine list --sync acme-v5 --all"),
    "quarantine retry": ("quarantine retry", "quarantine retry --sync acme-v5"),
    "ledger": ("ledger check",),
    "ledger check": ("ledger check",),
    "ledger backup": ("ledger backup backups/ledger-2026-11-28.db",),
    "ledger prune": ("ledger prune", "ledger prune --days 90 --json"),
    "ledger rebuild": ("ledger rebuild --syncs syncs.yaml",),
    "ledger catch-up": ("ledger catch-up", "ledger catch-up --sync acme-v5"),
    "plan": (
        "plan",
        "plan --window 2026-11-22T05:00 --sync acme-v5 --all",
        "plan --feed calls --no-count",
    ),
    "plan abandon": ("plan abandon acme-v5 people",),
    "export": (
        "export --window 2026-11-22T05:00",
        "export --window 2026-11-22T05:00 --until 2026-11-22T08:45 --sync acme-v5",
        "export --restore",
    ),
    "audience": ("audience list",),
    "audience write-back": (
        "audience write-back winback --attribute winback_offer_tier --tier gold=500 --dry-run",
        "audience write-back top_decile --attribute top_decile --region eu --per-second 20",
    ),
    "audience list": ("audience list", "audience list --feed beta_v4 --json"),
    "audience show": ("audience show winback --limit 5",),
    "audience export": (
        "audience export winback --format meta --out winback.csv --country DE",
        "audience export sms_recent --format csv",
    ),
    "report": ("report", "report acme-v5 --out acme.html --windows 24"),
    "verify": ("verify", "verify acme-v5 --quick", "verify --path /mnt/acme-v5"),
    "warehouse": ("warehouse load .cio/bucket/acme-v5 --into warehouse.duckdb",),
    "warehouse sql": (
        "warehouse sql s3://acme-data-out/prod --dialect snowflake --access acme_s3",
        "warehouse sql s3://acme-data-out/prod --dialect clickhouse --table people --step load",
        (
            "warehouse sql s3://acme-data-out/prod --dialect redshift --step load "
            "--access arn:aws:iam::123456789012:role/loader --manifest manifests --since 96"
        ),
    ),
    "warehouse csv": ("warehouse csv .cio/bucket/acme-v5 people",),
    "warehouse load": (
        "warehouse load .cio/bucket/acme-v5 --into warehouse.duckdb",
        "warehouse load s3://acme-data-out/customerio/prod --into warehouse.duckdb --schema acme",
    ),
    "demo": ("demo", "demo --size tiny --fresh", "demo --advance"),
    "version": ("version",),
}
"""By the verb's words, calls without the program's name."""


def examples_of(verb: str) -> str:
    """The examples of a verb as the last lines of its help."""
    lines = (f"    cio-pipeline {one}" for one in EXAMPLES[verb])
    return "\n\n".join(["Examples:", *lines])

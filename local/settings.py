"""The table of all settings, as README.md has it: `./sync settings`."""

from __future__ import annotations

from dataclasses import fields

from shared.config.settings import Settings

LOCAL = (
    ("PORT", "port clients connect to", "27000"),
    ("HOST", "IP address to listen on; 0.0.0.0 for all interfaces", "127.0.0.1"),
    ("ALLOWED_HOSTS", "names clients may use in place of localhost or an address; * for any", ""),
    (
        "TLS_CERTIFICATE",
        "PEM file; with it nginx of `make services` or `make up` answers HTTPS",
        "",
    ),
    ("TLS_KEY", "PEM file of the certificate's private key", ""),
    (
        "WORKERS",
        "processes that answer HTTP; several need memcached, or each counts requests by itself",
        "1",
    ),
    (
        "THREADS",
        "threads that run functions, per process; by default 32 in total",
        "32",
    ),
    ("TRIGGERS", "processes that take messages from RabbitMQ and copy objects", "2"),
    ("DATA_DIR", "folder for everything that a local run keeps", ".local"),
    (
        "RUN_AS",
        "account of nginx and the functions when root starts them; `root` to stay root",
        "the storage's owner, or www-data",
    ),
    ("SCHEDULE_SECONDS", "seconds between two runs of what AWS runs every minute", "5"),
    ("S3_PORT", "port of the embedded S3", "27006"),
)
"""What only the local runtime reads, see `local.environment` and `local.http.serve`."""

INTERNAL = frozenset(
    {
        "AWS_LAMBDA_FUNCTION_NAME",
        "LOCAL_RUN",
        "METRICS_NAMESPACE",
        "METRICS_PATH",
        "NOTIFY_FUNCTION",
        "SQS_QUEUE_URL",
    }
)
"""Set by the platform or by the local commands, never by a person."""


def rows() -> list[tuple[str, str, str]]:
    """Return all settings that users can set: name, meaning, default."""
    of_functions = [
        (m["name"], m["doc"], m["shown"] or str(item.default or ""))
        for item in fields(Settings)
        if (m := item.metadata)["name"] not in INTERNAL
    ]
    return [*of_functions, *LOCAL]


def table() -> str:
    """Return the settings as a Markdown table: name, meaning, default."""
    lines = [
        f"| `{name}` | {doc} | {f'`{default}`' if default else ''} |"
        for name, doc, default in rows()
    ]
    return "\n".join(["| variable | | default |", "|---|---|---|", *lines])

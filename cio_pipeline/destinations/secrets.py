"""Secrets: what a reference of a sync file leads to, and keeping them out of every text (D8)."""

import os
from collections.abc import Mapping
from pathlib import Path

from cio_pipeline.files.system_errors import reason
from cio_pipeline.model.errors import SecretMissing


def secret_of(reference: str, environment: Mapping[str, str] = os.environ) -> str:
    """The secret behind `env:NAME` or `file:/path`, without the newline that editors add.

    Read at every call, so that a changed key counts at once. Raises SecretMissing.
    """
    kind, _, where = reference.partition(":")
    secret = _variable(where, environment) if kind == "env" else _file(where)
    if not secret.strip():
        raise SecretMissing(f"The secret {reference} is empty.", "Put the value there.")
    return secret


def _variable(name: str, environment: Mapping[str, str]) -> str:
    if name not in environment:
        raise SecretMissing(
            f"The environment variable {name} is not set.",
            "Set it where the pipeline runs, the daemon's processes included.",
        )
    return environment[name].rstrip("\r\n")


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        problem = reason(error)
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    raise SecretMissing(
        f"The secret's file {path} cannot be read: {problem}.",
        "Put the value into that file and give this user the right to read it.",
    )

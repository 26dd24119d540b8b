"""What is printed to grant a sync its rights on Azure (O4)."""

import re
import subprocess
from pathlib import Path

import pytest

from cio_pipeline.destinations.policy import az_commands, portal_steps
from cio_pipeline.model.destinations import AzureDestination
from cio_pipeline.model.feeds import Feed
from cio_pipeline_tests.destinations.test_azure_sas import ACME, POLICY, SIG

OPTIONS = AzureDestination(type="azure", sas_url="env:ACME_SAS_URL", path="customerio")


def test_o4_the_commands_name_what_the_reference_leads_to(monkeypatch: pytest.MonkeyPatch) -> None:
    text = az_commands("acme-azure", OPTIONS, Feed.DATA_OUT)
    assert "--account-name ACCOUNT" in text
    monkeypatch.setenv("ACME_SAS_URL", f"{ACME}/data-out?{POLICY}")
    text = az_commands("acme-azure", OPTIONS, Feed.DATA_OUT)
    assert "--account-name acme " in text
    assert "--container-name data-out --name cio-acme-azure --permissions racwl" in text
    assert "blob-endpoint" not in text
    assert SIG[:12] not in text
    monkeypatch.setenv("ACME_SAS_URL", f"https://acme.blob.core.chinacloudapi.cn/data-out?{POLICY}")
    text = az_commands("acme-azure", OPTIONS, Feed.DATA_OUT)
    assert "--blob-endpoint https://acme.blob.core.chinacloudapi.cn" in text


def test_o4_messages_need_to_be_written_only() -> None:
    assert "--permissions w " in az_commands("acme", OPTIONS, Feed.MESSAGES)
    assert "permissions write, start" in portal_steps("acme", Feed.MESSAGES)
    assert "permissions read, add, create, write, list" in portal_steps("acme", Feed.DATA_OUT)


def test_o4_the_commands_run_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_SAS_URL", f"{ACME}/data-out?{POLICY}")
    az = tmp_path / "az"
    az.write_text('#!/bin/bash\necho "$@" >> "$(dirname "$0")/calls"; echo "si=x&sig=y"\n')
    az.chmod(0o755)
    done = subprocess.run(
        ["bash", "-ec", az_commands("acme-azure", OPTIONS, Feed.DATA_OUT)],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    create, generate = (tmp_path / "calls").read_text().splitlines()
    assert re.search(r"--start \d{4}-\d\d-\d\dT\d\d:\d\dZ --expiry \d{4}-", create)
    assert "policy create" in create
    assert "generate-sas" in generate
    assert "--policy-name cio-acme-azure --https-only" in generate
    assert done.stdout.splitlines()[-1] == f"{ACME}/data-out?si=x&sig=y"

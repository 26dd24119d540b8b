"""O8: docs/production.md, word for word, with systemd on a machine that has none of it yet."""

import re
import time
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from cio_pipeline_tests.deploy import fresh_machine
from cio_pipeline_tests.deploy.fresh_machine import FreshMachine, booted, require_possible
from cio_pipeline_tests.deploy.test_files import ROOT, UNITS, block
from cio_pipeline_tests.waiting import until

SYNCS, PEOPLE = 24, 2_000
STATE, BUCKET = "/var/lib/cio-pipeline", "/var/lib/cio-pipeline/bucket"
SERVICES = " ".join(f"cio-{unit}" for unit in UNITS)
PASSWORD = "own-Pass$word"  # noqa: S105 - of a machine that lives as long as the test
SLOW_MACHINE = 600.0


@pytest.fixture
def machine() -> Iterator[FreshMachine]:
    with booted() as found:
        found.place("/srv/release/syncs.yaml").write_text(
            "syncs:\n"
            + "".join(
                f"  - {{id: s{one}, workspace_id: {one}, "
                f"destination: {{type: local, path: {BUCKET}/s{one}}}}}\n"
                for one in range(1, SYNCS + 1)
            )
        )
        yield found


def page(heading: str, number: int = 0) -> str:
    """A block with a password of one's own, as the page asks for.

    `status` fails where something is wrong, and a shell that somebody types into goes on.
    """
    script = block(heading, number).replace("CHANGE-ME", PASSWORD)
    return script.replace("cio-pipeline status\n", "cio-pipeline status || true\n")


def people(found: FreshMachine, name: str, at: str = "") -> None:
    """The platform writes people of each workspace into its tables."""
    ids = [(one, f"{name}{n}") for one in range(1, SYNCS + 1) for n in range(PEOPLE)]
    table = pl.DataFrame(ids, ["workspace_id", "internal_customer_id"], orient="row")
    table = table.with_columns(
        id=pl.col("internal_customer_id"),
        added_at=pl.lit("2026-11-01T10:00:00Z"),
        updated_at=pl.lit("2026-11-01T10:00:00Z"),
        deleted=pl.lit("false"),
        suppressed=pl.lit("false"),
    )
    file = f"/srv/{name}.csv"
    table.write_csv(found.place(file))
    found.run(f"as-cio cio-pipeline source load people {file} {at}")


def sent(found: FreshMachine) -> Mapping[int, int]:
    """How many people lie in a committed window of each sync, by workspace; none twice."""
    counts: dict[int, int] = {}
    for one in range(1, SYNCS + 1):
        files = sorted(found.place(f"{BUCKET}/s{one}").glob("people*.parquet"))
        rows = pl.concat([pl.read_parquet(file) for file in files]) if files else pl.DataFrame()
        counts[one] = len(rows)
        assert not len(rows) or rows["internal_customer_id"].is_unique().all()
    return counts


def committed(found: FreshMachine) -> int:
    """How many syncs have a manifest."""
    lists = found.place(BUCKET).glob("s*/_cio/*manifest*")
    return len({one.parent for one in lists})


def answering(found: FreshMachine) -> bool:
    """Whether all services are up, and web server and metrics answer."""
    asked = (
        f"systemctl is-active {SERVICES}; curl -sf http://127.0.0.1:3000/server_info; "
        "curl -sf http://127.0.0.1:9464/metrics | grep 'cio_ledger_up 1.0'"
    )
    told = found.run(f"({asked}) || echo not yet", check=False)
    return "not yet" not in told


def install(found: FreshMachine) -> None:
    """The page, from its beginning to the services' start."""
    found.run(page("Packages"), network=True)
    # What pip needs to build the next release: from here on the machine has no network.
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheels = " ".join(f"'{one}'" for one in needs["build-system"]["requires"])
    found.run(f"/opt/cio-pipeline/bin/pip download -q -d /srv/wheels {wheels}", network=True)
    found.run("systemctl start postgresql")
    found.run(page("Databases"))
    found.run(page("Configuration"))
    file = "/etc/cio-pipeline/environment"
    found.run(f"sed -i 's/CHANGE-ME/{PASSWORD}/' {file}")
    found.run("as-cio cio-pipeline source init")
    # As of an earlier hour, else the first exports begin with the next quarter.
    before = (datetime.now(UTC) - timedelta(hours=1)).strftime("--at %Y-%m-%dT%H:%M")
    found.run(f"as-cio cio-pipeline sync apply {before} /etc/cio-pipeline/syncs.yaml")
    people(found, "a", before)


def killed_under_load(found: FreshMachine) -> None:
    """All services and PostgreSQL, in the middle of the first exports."""
    until("files", SLOW_MACHINE, lambda: list(found.place(BUCKET).glob("s*/people*")))
    for unit in (*UNITS, ""):
        name = f"cio-{unit}" if unit else "'postgresql@*'"
        found.run(f"systemctl kill --signal KILL {name}")
    moment = time.time()
    assert committed(found) < SYNCS, "it was killed in the middle"
    until("all services again", SLOW_MACHINE, lambda: answering(found))
    silence = (ROOT / "cio_pipeline_tests/workers/silence.py").read_text(encoding="utf-8")
    found.place("/srv/silence.py").write_text(silence)
    found.run(f"as-cio python /srv/silence.py {moment}")
    until("all syncs", SLOW_MACHINE, lambda: committed(found) == SYNCS)
    require(found, PEOPLE)


def require(found: FreshMachine, rows: int) -> None:
    """Each sync has so many people, and its bucket proves it; all state is the services' own."""
    assert set(sent(found).values()) == {rows}
    found.run("as-cio cio-pipeline verify")
    assert found.run(f"find {STATE} ! -user cio ! -name dagster.yaml") == ""
    assert answering(found)


@pytest.mark.parametrize("without", ["control groups", "network"])
def test_o8_where_no_machine_can_be_made_it_is_skipped(
    monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    """Not failed after a minute: in a container a user may be root and still have neither."""
    if without == "control groups":
        monkeypatch.setattr(fresh_machine, "_groups", lambda: Path("/proc"))
    else:
        monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(pytest.skip.Exception):
        require_possible()


@pytest.mark.deep
@pytest.mark.timeout(2400)
def test_o8_the_page_is_followed_word_for_word(machine: FreshMachine) -> None:
    install(machine)
    machine.run(page("Start"))
    killed_under_load(machine)
    machine.run(page("Start", 1))
    machine.run(page("Backup"))
    people(machine, "b")
    machine.run("as-cio cio-pipeline export --now")
    machine.run(page("Restore"))
    until("all services after the restore", SLOW_MACHINE, lambda: answering(machine))
    require(machine, 2 * PEOPLE)
    machine.run(page("Upgrade"))
    until("all services after the upgrade", SLOW_MACHINE, lambda: answering(machine))
    people(machine, "c")
    machine.run("as-cio cio-pipeline export --now")
    require(machine, 3 * PEOPLE)
    assert PASSWORD not in machine.run("journalctl --no-pager --unit 'cio-*'")
    assert re.search(r"^-rw------- .* root ", machine.run("ls -l /var/backups/cio-ledger.dump"))

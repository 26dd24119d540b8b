"""O6, O8: what may stand between us and a server: TLS, and a pooler."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from cio_pipeline.model.errors import SourceError
from cio_pipeline_tests.postgres import PASSWORD, USER, Cluster, running_cluster, system_user
from cio_pipeline_tests.sources.postgres.databases import Made, made
from cio_pipeline_tests.sources.postgres.test_installing import look
from cio_pipeline_tests.sources.postgres.test_positions import changed, state
from cio_pipeline_tests.waiting import PATIENCE, until


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of its own hand for localhost, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    made, key = folder / "server.crt", folder / "server.key"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    who = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    command = ["openssl", "req", "-x509", *curve, *who, "-keyout", key, "-out", made]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


def both_ways(base: Made) -> None:
    """All that is asked and read of a source: a position, rows, changes."""
    base.do("DELETE FROM things", "INSERT INTO things VALUES (1, 'a', '1')")
    first = base.things()
    base.do("UPDATE things SET value = '2'")
    assert state(base, first) == {"a": "1"}
    assert changed(base, first, base.things()) == {"a": ("changed", "2")}


@pytest.mark.slow
def test_o6_a_server_that_is_asked_and_read_over_tls(certificate: tuple[Path, Path]) -> None:
    """Whoever is to be verified is: by both drivers, whose errors say no more than the cause."""
    with running_cluster(certificate=certificate) as cluster:
        local = made(cluster)
        hba = cluster.folder / "data" / "pg_hba.conf"
        hba.write_text(hba.read_text().replace("host    all", "hostssl all"))
        local.do("SELECT pg_reload_conf()")
        name = local.source.server.database
        place = cluster.over_tcp(name)
        with psycopg.connect(place) as one:
            assert one.execute(
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            ).fetchone()
        known = f"sslrootcert={certificate[0]}"
        for how in (
            "sslmode=require",
            f"sslmode=verify-ca&{known}",
            f"sslmode=verify-full&{known}",
        ):
            base = Made(f"{place}?{how}", local.tables)
            both_ways(base)
            spoken = local.ask(
                "SELECT count(*), bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                "WHERE datname = current_database() AND client_addr IS NOT NULL"
            )
            assert spoken == [(2, True)], "one that asks, one that reads"
            base.source.server.close()
        other = cluster.over_tcp(name, "127.0.0.1")
        look(Made(f"{cluster.url(name)}&sslmode=require", local.tables))  # a socket needs none
        for url, why in (
            (f"{place}?sslmode=disable", "refuses the login"),
            (f"{place}?sslmode=require".replace(USER, "nobody", 1), "refuses the login"),
            (f"{place}?sslmode=verify-full&sslrootcert=/nowhere", "by its certificate"),
            (f"{place}?sslmode=verify-full&sslrootcert={hba}", "by its certificate"),
            (f"{other}?sslmode=verify-full&{known}", "by its certificate"),
        ):
            with pytest.raises(SourceError, match=why) as told:
                look(Made(url, local.tables))
            assert PASSWORD not in str(told.value)
        local.source.server.close()


@contextmanager
def running_pooler(cluster: Cluster, mode: str) -> Iterator[Cluster]:
    """PgBouncer before a cluster, with two sessions for all; as a cluster."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.fail("These tests need Debian's `pgbouncer`.", pytrace=False)
    folder, account = Path(tempfile.mkdtemp(prefix="cio-pool-")), system_user()
    (folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={cluster.folder} port={cluster.port}\n[pgbouncer]\n"
        f"pool_mode = {mode}\nunix_socket_dir = {folder}\nlisten_addr =\nlisten_port = 6432\n"
        f"auth_type = scram-sha-256\nauth_file = {folder}/users\nadmin_users = {USER}\n"
        f"default_pool_size = {2 if mode == 'transaction' else 9}\nlogfile = {folder}/log\n"
    )
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, account, account) if account else None
    server = subprocess.Popen(
        [program, "-q", folder / "pgbouncer.ini"],
        user=account,
        group=account,
        extra_groups=[] if account else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until("PgBouncer", PATIENCE, (folder / ".s.PGSQL.6432").exists)
        yield Cluster(folder, 6432)
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder)


@pytest.mark.deep
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_o8_a_pooler_may_stand_between(postgres_cluster: Cluster, mode: str) -> None:
    """It gives each transaction whichever session is free: none of our settings stays in one."""
    local = made(postgres_cluster)
    with running_pooler(postgres_cluster, mode) as pooler:
        base = Made(pooler.url(urlsplit(local.url).path.strip("/")), local.tables)
        for _ in range(3):
            both_ways(base)
        base.source.server.close()
        ours = ("search_path", "timezone", "transaction_read_only", "row_security")
        for _ in range(4):
            for name in ours:
                (left,) = base.ask(f"SHOW {name}")
                assert [left] == local.ask(f"SHOW {name}")
    local.source.server.close()

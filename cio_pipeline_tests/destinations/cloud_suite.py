"""What every destination over a network must do on top of the suite (D8).

A subclass brings the suite's fixtures, `proxy` (a FaultProxy before its store), `proxied` (the
same destination as `destination`, through the proxy, with PATIENCE), `impatient` (the same, but
IMPATIENT), `wrong_key` and `nowhere` (destinations whose key is unknown, and whose bucket or
container does not exist); `throttling` (the answer of a store that asks to slow down) and
`secrets` (those that it holds).
"""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.destinations.patience import Patience
from cio_pipeline.destinations.spooled import AT_ONCE
from cio_pipeline.model.errors import (
    DestinationError,
    DestinationUnavailable,
    NoSuchBucket,
    ObjectMissing,
    Throttled,
    Unreachable,
    WrongCredentials,
)
from cio_pipeline.model.objects import ObjectInfo
from cio_pipeline.ports import Destination
from cio_pipeline_tests.destinations.fault_proxy import Fault, FaultProxy
from cio_pipeline_tests.destinations.suite import DestinationSuite, digest

PATIENCE = Patience(
    retries=2,
    first_wait=timedelta(milliseconds=5),
    longest_wait=timedelta(milliseconds=20),
)
"""Asks again at once, and waits for the answer of a store on a busy machine."""

IMPATIENT = replace(PATIENCE, stalled=timedelta(milliseconds=300), request=timedelta(seconds=2))
"""Takes a store that does not answer at once for one that never does."""


def uses(destination: Destination, tmp_path: Path) -> list[Callable[[], object]]:
    """Each method that asks the store."""
    file = tmp_path / "file"
    file.write_bytes(b"body")
    return [
        lambda: destination.put("new", file, digest(b"body")),
        lambda: destination.put_bytes("new-too", b"body"),
        lambda: destination.overwrite("new-three", b"body", {}),
        lambda: destination.get("a"),
        lambda: destination.sha256("a"),
        lambda: destination.download("a", tmp_path / "copy"),
        lambda: list(destination.list()),
        lambda: destination.delete("a"),
    ]


class CloudSuite(DestinationSuite):
    def fails(
        self,
        destination: Destination,
        tmp_path: Path,
        error: type[Exception],
    ) -> None:
        """Every method ends in that error, with a next step."""
        for use in uses(destination, tmp_path):
            with pytest.raises(error) as caught:
                use()
            assert caught.value.next_step  # type: ignore[attr-defined]
            assert caught.value.__cause__ is None

    @pytest.mark.parametrize(
        "markers", [("good/",), ("_cio/",), ("",), ("good/", "a/b/"), ("good/", "a//b/")]
    )
    def test_d10_folder_markers_hide_nothing_and_are_no_objects(
        self, destination: Destination, markers: tuple[str, ...]
    ) -> None:
        """Consoles make folders by empty objects whose names end in a slash."""
        destination.put_bytes("good", b"12345")
        destination.put_bytes("_cio/1.manifest", b"123")
        for key in markers:
            self.put_foreign(destination, key, b"")
        assert list(destination.list("_cio")) == [ObjectInfo("_cio/1.manifest", 3)]
        assert list(destination.list()) == [
            ObjectInfo("_cio/1.manifest", 3),
            ObjectInfo("good", 5),
        ]

    def test_d10_a_key_with_a_slash_behind_is_no_other_one(self, destination: Destination) -> None:
        destination.put_bytes("good", b"12345")
        self.put_foreign(destination, "good/", b"x")
        assert list(destination.list()) == [ObjectInfo("good", 5), ObjectInfo("good/", 1)]

    def test_d8_an_unknown_key_is_named(self, wrong_key: Destination, tmp_path: Path) -> None:
        self.fails(wrong_key, tmp_path, WrongCredentials)

    def test_d8_a_store_that_does_not_exist_is_named(
        self, nowhere: Destination, tmp_path: Path
    ) -> None:
        self.fails(nowhere, tmp_path, NoSuchBucket)

    def test_d8_a_throttled_request_is_tried_again(
        self, proxy: FaultProxy, proxied: Destination, throttling: Fault, tmp_path: Path
    ) -> None:
        proxied.put_bytes("a", b"body")
        for use in uses(proxied, tmp_path):
            proxy.fail(throttling, throttling)
            use()
            assert not proxy.once
        assert {o.key for o in proxied.list()} == {"new", "new-too", "new-three"}

    def test_d8_a_store_that_goes_on_throttling_is_named(
        self, proxy: FaultProxy, proxied: Destination, throttling: Fault, tmp_path: Path
    ) -> None:
        proxy.lasting = throttling
        self.fails(proxied, tmp_path, Throttled)

    def test_d8_a_store_that_fails_is_asked_as_often_as_patience_says(
        self, proxy: FaultProxy, proxied: Destination, tmp_path: Path
    ) -> None:
        """Two clients on top of one another do not try again what the other has tried."""
        text = "<Error><Code>InternalError</Code><Message>Once more.</Message></Error>"
        proxy.lasting = Fault(answer=(500, text))
        for use in uses(proxied, tmp_path):
            before = len(proxy.paths)
            with pytest.raises(DestinationUnavailable, match=r"failed .500"):
                use()
            assert len(proxy.paths) - before == PATIENCE.retries + 1

    def test_d8_a_page_that_refuses_is_a_proxy_and_no_lacking_right(
        self, proxy: FaultProxy, proxied: Destination, tmp_path: Path
    ) -> None:
        for status in (403, 407):
            proxy.lasting = Fault(
                answer=(status, "<HTML><body>Blocked</body></HTML>"),
                headers={"Content-Type": "text/html; charset=utf-8"},
            )
            for use in uses(proxied, tmp_path):
                with pytest.raises(DestinationError, match="a proxy or a firewall") as caught:
                    use()
                assert type(caught.value) is DestinationError
        (only, *_) = proxied.permissions()
        assert "a proxy or a firewall" in only.detail

    def test_d8_a_condition_that_is_refused_where_nothing_lies_is_told_as_that(
        self, proxy: FaultProxy, proxied: Destination, tmp_path: Path
    ) -> None:
        """A proxy on the way answers so; or what lay there has just gone."""
        proxy.lasting = Fault(answer=(412, ""), method="PUT")
        put, put_bytes, overwrite, *_ = uses(proxied, tmp_path)
        for use in (put, put_bytes):
            with pytest.raises(DestinationUnavailable, match=r"nothing does.*proxy"):
                use()
        with pytest.raises(DestinationError, match=r"condition .412. that was not set"):
            overwrite()
        proxy.lasting = Fault(answer=(412, ""))
        for use in uses(proxied, tmp_path):
            with pytest.raises(DestinationError, match=r"condition .412. that was not set"):
                use()

    def test_d8_reset_connections_are_tried_again(
        self, proxy: FaultProxy, proxied: Destination, tmp_path: Path
    ) -> None:
        proxied.put_bytes("a", b"body")
        for use in uses(proxied, tmp_path):
            proxy.fail(Fault(reset=True))
            use()
            assert not proxy.once

    def test_d8_an_answer_that_is_lost_is_no_conflict_with_oneself(
        self, proxy: FaultProxy, proxied: Destination, tmp_path: Path
    ) -> None:
        proxied.put_bytes("a", b"body")
        for use in uses(proxied, tmp_path):
            proxy.fail(Fault(lost=True))
            use()
            assert not proxy.once
        assert {o.key for o in proxied.list()} == {"new", "new-too", "new-three"}

    def test_d8_a_store_that_resets_every_connection_is_named(
        self, proxy: FaultProxy, proxied: Destination, tmp_path: Path
    ) -> None:
        proxy.lasting = Fault(reset=True)
        self.fails(proxied, tmp_path, Unreachable)

    def test_d8_a_slow_answer_is_waited_for(
        self, proxy: FaultProxy, proxied: Destination, spooled: Path
    ) -> None:
        proxy.fail(Fault(delay=0.2))
        self.put(proxied, "a", spooled)
        proxy.fail(Fault(delay=0.2))
        assert proxied.get("a") == b"body"

    def test_d8_a_store_that_never_answers_is_named(
        self, proxy: FaultProxy, impatient: Destination, spooled: Path
    ) -> None:
        proxy.lasting = Fault(delay=60)
        with pytest.raises(Unreachable) as caught:
            self.put(impatient, "a", spooled)
        assert caught.value.next_step

    @pytest.mark.parametrize("dead", [Fault(reset=True), Fault(lost=True)], ids=["reset", "lost"])
    def test_d8_no_part_of_an_object_is_ever_visible(
        self,
        proxy: FaultProxy,
        destination: Destination,
        proxied: Destination,
        tmp_path: Path,
        dead: Fault,
    ) -> None:
        path = tmp_path / "large"
        path.write_bytes(os.urandom(AT_ONCE + 1))
        sealed = digest(path.read_bytes())
        proxied.put("whole", path, sealed)
        # One that a busy machine answered late came twice.
        requests = len(set(proxy.paths))
        assert requests > 2
        for number in range(requests):
            # The connection dies for good at each request of a put in turn.
            proxy.lasting, proxy.from_request = dead, len(proxy.paths) + number
            with pytest.raises(Unreachable):
                proxied.put(f"cut-{number}", path, sealed)
            proxy.lasting = None
            if dead.reset or number < requests - 1:
                with pytest.raises(ObjectMissing):
                    destination.get(f"cut-{number}")
            proxied.put(f"cut-{number}", path, sealed)
            assert destination.sha256(f"cut-{number}") == sealed

    def test_d8_what_it_says_of_itself_has_no_secret(
        self, destination: Destination, secrets: list[str]
    ) -> None:
        for text in (destination.describe(), repr(destination), str(vars(destination))):
            assert not any(secret in text for secret in secrets)

    def test_d8_objects_can_be_overwritten_with_metadata(self, destination: Destination) -> None:
        for body in (b"one", b"two"):
            destination.overwrite("m", body, {"event-id": "e1"})
            assert destination.get("m") == body
        assert list(destination.list()) == [ObjectInfo("m", 3)]

    def test_d8_all_permissions_are_there_and_nothing_is_left(
        self, destination: Destination
    ) -> None:
        found = destination.permissions()
        assert [one for one in found if one.granted is not True] == []
        assert [o for o in destination.list() if o.key != "cio-validate"] == []

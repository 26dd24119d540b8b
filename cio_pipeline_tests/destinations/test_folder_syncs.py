"""D6: names are durable before a put returns, and many puts share the syncs of their folder."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from cio_pipeline.destinations import local_files
from cio_pipeline.destinations.local_files import FolderSyncs

FOLDER = "folder"
PUTS = 8


def waiting(pool: ThreadPoolExecutor, syncs: FolderSyncs) -> list[Callable[[], None]]:
    """Threads that ask for a sync while one is under way."""
    asked = [pool.submit(syncs.sync, FOLDER) for _ in range(PUTS)]
    while len(syncs._changed._waiters) < PUTS:  # type: ignore[attr-defined] - no other way to see it
        pass
    return [one.result for one in asked]


@pytest.mark.parametrize("fails", [False, True], ids=["", "one fails"])
def test_d6_who_waits_shares_the_next_sync_and_none_that_failed(
    monkeypatch: pytest.MonkeyPatch,
    fails: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    begun: list[int] = []
    first, go = Event(), Event()

    def sync(folder: str) -> None:
        begun.append(len(begun))
        if len(begun) == 1:
            first.set()
            go.wait()
        elif len(begun) == 2 and fails:
            raise OSError("a broken disk")

    monkeypatch.setattr(local_files, "sync", sync)
    syncs = FolderSyncs()
    with ThreadPoolExecutor(PUTS + 1) as pool:
        alone = pool.submit(syncs.sync, FOLDER)
        first.wait()
        results = waiting(pool, syncs)
        go.set()
        alone.result()
        failed = 0
        for result in results:
            try:
                result()
            except OSError:
                failed += 1

    assert (len(begun), failed) == ((3, 1) if fails else (2, 0))


def test_each_folder_is_synced_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(local_files, "sync", seen.append)
    syncs = FolderSyncs()

    for name in ("a", "b", "a"):
        syncs.sync(name)

    assert seen == ["a", "b", "a"]

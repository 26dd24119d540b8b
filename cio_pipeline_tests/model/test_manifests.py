import json
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from cio_pipeline.model.errors import ManifestBroken
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import (
    Manifest,
    ManifestFile,
    Superseded,
    as_they_lie,
    manifest_key,
    manifest_ordinal,
    parse_manifest,
    render_file,
    render_manifest,
)
from cio_pipeline.model.plans import Mode, Series

EARLIEST = datetime(2026, 1, 1)  # noqa: DTZ001 - Hypothesis adds the zone
LATEST = datetime(2030, 1, 1)  # noqa: DTZ001 - the same
EARLY = EARLIEST.replace(tzinfo=UTC)
times = st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC))
manifests = st.from_type(Manifest)

st.register_type_strategy(datetime, times)

IF_ANY = {"superseded", "replay_of", "since"}
"""What earlier manifests do not tell."""


@given(manifests)
def test_d10_a_manifest_reads_back(manifest: Manifest) -> None:
    assert parse_manifest(render_manifest(manifest)) == manifest


@given(manifests)
def test_d10_equal_manifests_have_equal_bytes(manifest: Manifest) -> None:
    assert render_manifest(parse_manifest(render_manifest(manifest))) == render_manifest(manifest)


@given(manifests, st.sampled_from(["a", "\ud83d", '\u00e9\U0001f600\\"']))
def test_d10_its_bytes_are_those_of_json_with_an_indent(manifest: Manifest, sync_id: str) -> None:
    """The chains of earlier builds hold their digests."""
    content = TypeAdapter(Manifest).dump_python(replace(manifest, sync_id=sync_id), mode="json")
    content = {key: it for key, it in content.items() if it or key not in IF_ANY}
    for file in content["files"]:
        if file["contract"] is None:
            del file["contract"]
    body = render_manifest(replace(manifest, sync_id=sync_id)).decode()
    assert body == json.dumps({"format": 1, **content}, sort_keys=True, indent=1) + "\n"
    nothing = replace(manifest, sync_id=sync_id, files=())
    assert body == render_manifest(nothing, map(render_file, manifest.files)).decode()


@given(manifests)
def test_d10_what_a_reader_does_not_know_it_may_leave_out(manifest: Manifest) -> None:
    """So readers of earlier builds go on with manifests that tell more than they know."""
    told = json.loads(render_manifest(manifest)) | {"of a later build": [1], "replay_of": []}
    told.pop("superseded", None)
    read = parse_manifest(json.dumps(told).encode())
    assert read == replace(manifest, superseded=(), replay_of=())


def test_d10_of_a_file_that_was_rewritten_the_last_word_counts() -> None:
    """A message that comes later under its key is what lies there (M4)."""
    file = ManifestFile(
        "a", "messages", Series.PLAIN, 1, None, 2, 20, "first", "f", 5, EARLY, 1, Mode.CHANGES,
        None, None,
    )  # fmt: skip
    other, later = replace(file, key="b", sequence=2), replace(file, sequence=3, sha256="later")
    first = Manifest("s", 1, Feed.MESSAGES, 5, 1, 1, EARLY, None, (file, other), (), ())
    rewritten = tuple(Superseded(one.key, "first", "erased", 1, 9) for one in (file, other))
    second = replace(first, ordinal=2, files=(), superseded=rewritten)
    again = replace(first, ordinal=3, files=(), superseded=(Superseded("b", "erased", "x", 0, 8),))
    third = replace(first, ordinal=4, files=(later,))
    erased = replace(file, sha256="erased", rows=1, bytes=9)
    assert as_they_lie([first, second])[0].files == (erased, replace(erased, key="b", sequence=2))
    assert as_they_lie([first, second])[1] == second
    told = [file.sha256 for one in as_they_lie([first, second, again, third]) for file in one.files]
    assert told == ["first", "x", "later"]


def test_d10_a_manifest_of_many_files_is_held_twice_at_most() -> None:
    """As dicts and one text after another, it was held five times."""
    file = ManifestFile(
        "k" * 80, "messages", Series.PLAIN, 1, None, 1, 2000, "a" * 64, "f" * 16, 5, EARLY, 1,
        Mode.CHANGES, EARLY, EARLY,
    )  # fmt: skip
    manifest = Manifest("a", 1, Feed.MESSAGES, 5, 1, 1, EARLY, None, (), (), ())
    tracemalloc.start()
    body = render_manifest(
        manifest, (render_file(replace(file, sequence=n)) for n in range(10_000))
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(parse_manifest(body).files) == 10_000
    assert peak < 2.3 * len(body)


@given(st.integers(1, 2**63 - 1))
def test_d10_a_manifests_key_reads_back(ordinal: int) -> None:
    assert manifest_ordinal(manifest_key(ordinal)) == ordinal


@pytest.mark.parametrize(
    "key", ["_cio/0.manifest", "_cio/01.manifest", "_cio/1.json", "x/_cio/1.manifest", "_cio/"]
)
def test_other_keys_are_no_manifests(key: str) -> None:
    assert manifest_ordinal(key) is None


def test_d10_no_loader_mistakes_a_manifest_for_data() -> None:
    key = manifest_key(7)
    assert not key.endswith((".parquet", ".json", ".csv"))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"format": 1}', b'{"format": 99}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_manifest_is_refused(body: bytes) -> None:
    with pytest.raises(ManifestBroken):
        parse_manifest(body)

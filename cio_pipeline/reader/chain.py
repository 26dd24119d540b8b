"""The manifests of a bucket as far as they hold: what may be read, and what stands in the way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cio_pipeline.model.errors import ManifestBroken, ObjectArchived, ObjectMissing
from cio_pipeline.model.manifests import (
    FOLDER,
    Manifest,
    as_they_lie,
    digest,
    manifest_key,
    manifest_ordinal,
)
from cio_pipeline.ports import Destination
from cio_pipeline.verification.links import (
    NOTHING,
    Link,
    begins_anew,
    check_chain,
    read_links,
    split_at_beginning,
)
from cio_pipeline.verification.report import Finding, Problem, ProblemKind

_ASKED = 16
"""So many manifests are asked for before they are listed: months of windows have thousands."""

_ANEW = (
    "The bucket holds another feed, or was set back. Look which; "
    "`cio-pipeline warehouse load --rebuild` loads it from scratch."
)


@dataclass(frozen=True)
class Read:
    """A manifest that was read before: its ordinal, and the digest of its bytes."""

    ordinal: int
    sha256: str


@dataclass(frozen=True)
class Chain:
    """Manifests in order, files as they lie now, up to the first that is `broken`.

    `digests` are those of their bytes.
    """

    manifests: tuple[Manifest, ...] = ()
    digests: tuple[str, ...] = ()
    broken: Finding | None = None

    def require(self, ordinal: int | None = None) -> None:
        """Raise ManifestBroken unless the chain holds up to an ordinal, or to its end."""
        found = self.broken
        if found is None or found.ordinal is None:
            return
        if ordinal is None or ordinal >= found.ordinal:
            upto = f" Up to manifest {found.ordinal - 1} it holds." if found.ordinal > 1 else ""
            raise ManifestBroken(f"{found.problem.key}: {found.problem.message}{upto}")


def read_chain(destination: Destination) -> Chain:
    """All manifests of a bucket; none if there are none. Raises the store's errors."""
    return _chain(destination, [one.key for one in destination.list(FOLDER)])


def read_on(destination: Destination, last: Read) -> Chain:
    """The manifests after one that was read before.

    Costs what is new; manifests are listed only if nothing is, for who is far behind, and where one
    is missing between others. Raises the store's errors, and ManifestBroken if the bucket does not
    have what was read.
    """
    there = _is_there(destination, last)
    fetched = _following(destination, last.ordinal) if there else {}
    top = last.ordinal + len(fetched)
    keys = [manifest_key(number) for number in fetched]
    if len(fetched) in {0, _ASKED} or _body(destination, top + 2) is not None:
        listed = [one.key for one in destination.list(FOLDER)]
        keys += [key for key in listed if (manifest_ordinal(key) or 0) > top]
    on = last.ordinal if there else None
    chain = _chain(destination, keys, last, on, fetched) if keys else Chain()
    if not there and not (chain.manifests and chain.manifests[0].begins is not None):
        raise ManifestBroken(
            f"Manifest {last.ordinal} was read before, and is not there any more.", _ANEW
        )
    return chain


def _is_there(destination: Destination, last: Read) -> bool:
    body = _body(destination, last.ordinal)
    if body is None:
        return False
    if digest(body) != last.sha256:
        raise ManifestBroken(f"Manifest {last.ordinal} is another one than was read before.", _ANEW)
    return True


def _following(destination: Destination, ordinal: int) -> dict[int, bytes]:
    """The manifests that come next, asked for one by one."""
    found: dict[int, bytes] = {}
    for number in range(ordinal + 1, ordinal + 1 + _ASKED):
        body = _body(destination, number)
        if body is None:
            break
        found[number] = body
    return found


def _body(destination: Destination, ordinal: int) -> bytes | None:
    try:
        return destination.get(manifest_key(ordinal))
    except ObjectMissing:
        return None


def _chain(
    destination: Destination,
    keys: Sequence[str],
    last: Read | None = None,
    on: int | None = None,
    fetched: Mapping[int, bytes] = NOTHING,
) -> Chain:
    links, broken = read_links(destination, keys, {}, fetched)
    _require_read(links)
    links = _next(links, on)
    anew = bool(links) and begins_anew(links[0])
    after = None if last is None or anew else (last.ordinal, last.sha256)
    findings = [*broken, *check_chain(links, after)]
    first = min((one for one in findings if one.ordinal), key=_ordinal, default=None)
    if last is not None and first is not None and _ordinal(first) <= last.ordinal:
        text = f"It does not go on from manifest {last.ordinal} that was read before. {_ANEW}"
        problem = Problem(ProblemKind.CHAIN_BROKEN, manifest_key(links[0].ordinal), text)
        return Chain(broken=Finding(problem, last.ordinal + 1))
    good = [link for link in links if first is None or link.ordinal < _ordinal(first)]
    manifests = as_they_lie([link.manifest for link in good if link.manifest])
    return Chain(tuple(manifests), tuple(link.sha256 or "" for link in good), first)


def _next(links: tuple[Link, ...], on: int | None) -> tuple[Link, ...]:
    """The manifests of one chain: those that go `on` after a number, else the latest chain's.

    Where a sync came back after others of its manifests went elsewhere, it began a chain anew: that
    is for who has loaded the other place, too.
    """
    if on is not None and links and links[0].ordinal == on + 1:
        for place, (before, link) in enumerate(pairwise(links), 1):
            if begins_anew(link) and link.ordinal > before.ordinal + 1:
                return split_at_beginning(links[:place])[1]
    return split_at_beginning(links)[1]


def _require_read(links: Iterable[Link]) -> None:
    """Raise the store's error where it is none of a manifest: rights that lack, a broken line."""
    for link in links:
        if link.error and not isinstance(link.error, ObjectMissing | ObjectArchived):
            raise link.error


def _ordinal(finding: Finding) -> int:
    return finding.ordinal or 0

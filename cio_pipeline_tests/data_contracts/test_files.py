"""Data contracts as files: named or inline, and what is told of one that cannot hold (16.2)."""

from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.cli.apply import syncs_of
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.destinations.overlap import location
from cio_pipeline.model.data_contract import DataContract, ExportTerms, Terms, read_terms
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline.lifecycle.apply import apply_syncs
from cio_pipeline.pipeline.syncs.sync_file import read_sync_file
from cio_pipeline_tests.data_contracts.test_window import CONTRACT
from cio_pipeline_tests.world import World

SYNC = """syncs:
  - id: acme
    workspace_id: 1
    {more}
    destination: {{type: local, path: bucket}}
"""

NO_EMAIL = DataContract(exports={"people": ExportTerms(leave_out=("email_addr",))})


def sync_file(contract: str, more: str = "") -> str:
    lines = ["contract:", *(f"  {line}" for line in contract.splitlines())]
    return SYNC.format(more="\n    ".join([*([more] if more else []), *lines]))


def written(folder: Path, contract: str) -> Path:
    (folder / "acme.yaml").write_text(contract)
    (folder / "syncs.yaml").write_text(SYNC.format(more="contract: acme.yaml"))
    return folder / "syncs.yaml"


def test_d11_a_contract_beside_the_sync_file_is_the_same_as_one_within(tmp_path: Path) -> None:
    contract = "exports:\n  people:\n    leave_out: [email_addr]\n"
    (named,) = syncs_of(written(tmp_path, contract))
    (inline,) = read_sync_file(sync_file(contract))
    assert named == inline
    assert named.contract == DataContract(
        exports={"people": ExportTerms(leave_out=("email_addr",))}
    )


WRONG: dict[str, tuple[str, str, str]] = {
    "unknown export": ("exports:\n  peple:\n    mask: [x]\n", "line 2", "did you mean `people`"),
    "unknown column": (
        "exports:\n  people:\n    mask:\n    - email_addr\n    - emial\n",
        "line 5",
        "there is no column `emial`",
    ),
    "a key": (
        "exports:\n  people:\n    mask: [internal_customer_id]\n",
        "line 3",
        "`internal_customer_id` is a key of people",
    ),
    "newest by": ("exports:\n  people:\n    leave_out: [updated_at]\n", "line 3", "a key"),
    "what is gone": ("exports:\n  people:\n    leave_out: [deleted]\n", "line 3", "means"),
    "choices": ("exports:\n  events:\n    leave_out: [type]\n", "line 3", "means"),
    "no text": ("exports:\n  events:\n    mask: [sources]\n", "line 3", "is LIST OF STRING"),
    "JSON": ("exports:\n  events:\n    mask: [data]\n", "line 3", "`data` is JSON"),
    "no events": ("exports:\n  people:\n    events: {a: {}}\n", "line 3", "has no events"),
    "no attributes": ("exports:\n  people:\n    values: {a: mask}\n", "line 3", "no attributes"),
    "no salt": ("exports:\n  people:\n    hash: [email_addr]\n", "line 1", "salt: env:NAME"),
    "a literal salt": (
        "salt: hunter2\nexports:\n  people: {}\n",
        "line 1",
        "a secret is never written here",
    ),
    "unknown field": ("exports:\n  people:\n    requird: []\n", "line 3", "`required`"),
    "unknown type": (
        "exports:\n  events:\n    events:\n      A:\n        properties:\n          b: text\n",
        "line 6",
        "write 'string', 'integer'",
    ),
    "two spellings": (
        "exports:\n  events:\n    normalise: true\n    events: {A b: {}, a_B: {}}\n",
        "line 2",
        "both have the spelling",
    ),
    "twice hidden": (
        "exports:\n  people:\n    mask: [email_addr]\n    leave_out: [email_addr]\n",
        "line 2",
        "stands twice",
    ),
    "normalised without names": ("exports:\n  events: {normalise: true}\n", "line 2", "`events`"),
    "no mapping": ("- people\n", "line 1", "write `exports:`"),
    "no YAML": ("exports: [", "line 1", "no YAML"),
    "a key twice": ("exports: {people: {}, people: {}}", "line 1", "stands twice"),
}


@pytest.mark.parametrize(("contract", "line", "told"), WRONG.values(), ids=WRONG)
def test_a_contract_that_cannot_hold_is_told_with_its_line(
    tmp_path: Path, contract: str, line: str, told: str
) -> None:
    with pytest.raises(InvalidConfig) as raised:
        syncs_of(written(tmp_path, contract))
    text = str(raised.value)
    assert "The data contract acme.yaml" in text
    assert line in text
    assert told in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("contract", "_line", "told"),
    [(one, line, told) for one, line, told in WRONG.values() if "\n" in one and one[0] != "-"],
)
def test_the_same_within_the_sync_file(contract: str, _line: str, told: str) -> None:
    with pytest.raises(InvalidConfig) as raised:
        read_sync_file(sync_file(contract))
    assert "The sync file" in str(raised.value)
    assert "sync 'acme'" in str(raised.value)
    assert told in str(raised.value)


def test_a_contract_of_v5_columns_cannot_hold_for_v4() -> None:
    contract = "exports:\n  metrics:\n    leave_out: [user_agent]\n"
    assert read_sync_file(sync_file(contract))
    with pytest.raises(InvalidConfig, match="there is no column `user_agent`"):
        read_sync_file(sync_file(contract, "version: 4"))


def test_a_contract_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, "")
    (tmp_path / "acme.yaml").unlink()
    with pytest.raises(InvalidConfig, match=r"data contract .*acme.yaml cannot be read"):
        syncs_of(file)


@pytest.mark.parametrize("export", ALL_EXPORTS)
def test_no_column_can_be_hidden_that_tells_rows_apart(export: str) -> None:
    declared = ALL_EXPORTS[export]
    for name in {*declared.row_key, *declared.entity_key, declared.newest_by} - {None}:
        contract = f"exports:\n  {export}:\n    leave_out: [{name}]\n"
        if declared.source == "messages":
            continue
        feed = "feed: calls" if declared.source == "calls" else ""
        with pytest.raises(InvalidConfig, match="is a key of"):
            read_sync_file(sync_file(contract, feed))


def test_terms_are_named_by_what_they_say_alone() -> None:
    contract = DataContract.model_validate(CONTRACT)
    again = DataContract.model_validate_json(contract.model_dump_json())
    assert again.digests == contract.digests
    terms = contract.terms("people")
    assert terms is not None
    assert read_terms(terms.body) == terms
    assert Terms(of=ExportTerms()).body == '{"of":{}}'
    assert DataContract(exports={"people": ExportTerms()}).digests == {}
    # Only who hashes depends on the salt.
    other: dict[str, Any] = {**CONTRACT, "salt": "env:OTHER"}
    changed = DataContract.model_validate(other).digests
    differ = {name for name in changed if changed[name] != contract.digests[name]}
    assert differ == {"people"}


def test_a_change_is_shown_holds_from_the_next_plan_on_and_is_in_the_history(world: World) -> None:
    world.sync("a", 1, contract={"exports": {"people": {"mask": ["email_addr"]}}})
    known = world.ledger.registry.get("a").sync
    to = known.model_copy(update={"contract": NO_EMAIL})
    (applied,) = apply_syncs(
        world.services, [to], lambda one: location(one.destination, world.root), world.now
    )
    assert applied.changes == ("contract",)
    assert applied.notes[:2] == (
        "contract, exports, people, leave_out: nothing → email_addr",
        "contract, exports, people, mask: email_addr → nothing",
    )
    assert "from the next plan on" in applied.notes[2]
    last = world.ledger.registry.history("a")[-1]
    place = "contract, exports, people"
    assert last.before == {f"{place}, mask": ["email_addr"]}
    assert last.after == {f"{place}, leave_out": ["email_addr"], f"{place}, mask": None}


def test_a_first_contract_and_the_last_are_told_in_a_line(world: World) -> None:
    plain = world.sync("a", 1)
    for contract, told in ((NO_EMAIL, "a data contract now"), (None, "no data contract any more")):
        (applied,) = apply_syncs(
            world.services,
            [plain.model_copy(update={"contract": contract})],
            lambda one: location(one.destination, world.root),
            world.now,
        )
        assert applied.notes[0] == f"it has {told}, for people"

"""M2: a key template is checked when the sync is configured."""

import pytest

from cio_pipeline.contracts.message_envelope import DEFAULT_KEY_TEMPLATE
from cio_pipeline.files.template_check import check_template
from cio_pipeline.model.errors import InvalidConfig


@pytest.mark.parametrize(
    "template",
    [
        DEFAULT_KEY_TEMPLATE,
        "join('/', [metadata.objectName, time.date, metadata.\"event-id\"])",
        "join('', [time.rfc3339_nano, '_', metadata.\"event-id\", '.json'])",
        "join('/', [metadata.operationId || 'none', metadata.\"event-id\"])",
    ],
)
def test_a_template_with_the_event_id_gives_no_warning(template: str) -> None:
    assert check_template(template) == ()


def test_a_template_by_operation_is_warned_of_on_both_counts() -> None:
    subscribe, pages = check_template("join('/', [metadata.objectName, metadata.operationId])")
    assert "the sample of a subscribe message gets no key" in subscribe
    assert "gives null to join()" in subscribe
    assert "pages of one operation" in pages
    assert 'add metadata."event-id"' in pages


def test_the_event_id_counts_only_if_the_key_depends_on_it() -> None:
    warnings = check_template('metadata."event-id" && time.date')
    assert len(warnings) == 2


def test_a_template_of_the_payload_may_fail_on_the_samples() -> None:
    warnings = check_template("join('/', [data.result[0].raw.tenant, metadata.\"event-id\"])")
    assert [w.startswith("the sample of a ") for w in warnings] == [True, True]


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("metadata.operationid", r"metadata\.operationid.*Did you mean operationId\?"),
        ('metadata."event_id"', "Did you mean event-id"),
        ("time.days", "Did you mean day"),
        ("meta.objectName", "no such namespace. Did you mean metadata"),
        ("joined('/', [time.date])", r"joined\(\).*no such function.*Did you mean join"),
        ("metadata.objectName || upper(time.date)", r"upper\(\).*no such function"),
        ("`5`", "No message gets a key: the key template gives a number"),
        ("join('/', [metadata.objectName, `5`])", r"gives number to join\(\)"),
        ("'/x'", "slash"),
        ("join('/')", "Expected 2 arguments"),
    ],
)
def test_unknown_names_and_templates_that_serve_no_message_are_refused(
    template: str, why: str
) -> None:
    with pytest.raises(InvalidConfig, match=why):
        check_template(template)

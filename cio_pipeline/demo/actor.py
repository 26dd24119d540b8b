"""A member of the cast, and the rows of the things that it has (see `script`)."""

from dataclasses import dataclass

from cio_pipeline.demo.objects import TYPE_NAMES
from cio_pipeline.demo.sends import SENDER_NUMBER
from cio_pipeline.demo.world import Span, Workspace


@dataclass(frozen=True)
class Actor:
    """Somebody who came in commit `number`; `spans[k]` is that of commit `number + k`."""

    workspace: Workspace
    number: int
    spans: tuple[Span, ...]

    def at(self, act: int, share: float) -> int:
        """A time in the commit `number + act`."""
        return within(self.spans[act], share)

    def ident(self, prefix: str) -> str:
        """An id of one of the actor's things, unlike any simulated one."""
        return f"{prefix}-cast-{self.workspace.number}-{self.number:06}"

    @property
    def cio_id(self) -> str:
        """The person's internal id."""
        return f"9{self.workspace.number:03}{self.number:012}"

    @property
    def phone(self) -> str:
        """The person's phone number."""
        return f"+1666{self.number:07}"


def within(span: Span, share: float) -> int:
    """The time at a share of a span."""
    return span.start + int((span.end - span.start) * share)


def person_row(actor: Actor, updated_at: int, email: str, **flags: bool) -> dict[str, object]:
    """The person, with the flags given."""
    return {
        "internal_customer_id": actor.cio_id,
        "id": actor.ident("user"),
        "email": f"{email}-{actor.number}@example.com",
        "added_at": actor.at(0, 0.05),
        "id_changed_at": actor.at(0, 0.05),
        "updated_at": updated_at,
        "deleted": False,
        "suppressed": False,
        **flags,
    }


def attribute_row(actor: Actor, name: str, value: str | None, at: int) -> dict[str, object]:
    """One of the person's attributes."""
    return {
        "internal_customer_id": actor.cio_id,
        "attribute_name": name,
        "attribute_value": value,
        "timestamp": at,
    }


def brief_row(actor: Actor) -> dict[str, object]:
    """Somebody who is added and deleted within the commit."""
    return {
        "internal_customer_id": f"8{actor.cio_id[1:]}",
        "email": f"brief-{actor.number}@example.com",
        "added_at": actor.at(0, 0.1),
        "updated_at": actor.at(0, 0.2),
        "deleted": True,
        "suppressed": False,
    }


def journey_row(actor: Actor, seq_at: int) -> dict[str, object]:
    """The journey, as of a change."""
    return {
        "subject_name": actor.ident("j"),
        "internal_customer_id": actor.cio_id,
        "campaign_type": "event",
        "campaign_id": 1,
        "event_id": actor.ident("e"),
        "started_campaign_at": actor.at(0, 0.2),
        "created_at": actor.at(0, 0.3),
        "seq_num": seq_at * 100,
    }


def email_row(actor: Actor, at: int, recipient: str | None) -> dict[str, object]:
    """The email, as of a change."""
    return {
        "delivery_id": actor.ident("d"),
        "internal_customer_id": actor.cio_id,
        "subject_id": actor.ident("j"),
        "event_id": actor.ident("e"),
        "delivery_type": "email",
        "recipient": recipient,
        "campaign_id": 1,
        "action_id": 1,
        "created_at": actor.at(0, 0.3),
        "seq_num": at * 100,
    }


def step_row(actor: Actor, at: int, explanation: str, *, draft: bool) -> dict[str, object]:
    """The step that sends the email, as of a change."""
    return {
        "output_id": actor.ident("o"),
        "internal_customer_id": actor.cio_id,
        "subject_name": actor.ident("j"),
        "output_type": "email",
        "action_id": 1,
        "explanation": explanation,
        "delivery_id": actor.ident("d"),
        "draft": draft,
        "link_tracked": True,
        "created_at": actor.at(0, 0.3),
        "seq_num": at * 100,
    }


def metric_row(
    actor: Actor, of: str, channel: str, metric: str, at: int, **columns: object
) -> dict[str, object]:
    """Something that happened to the email (`of` is d) or the SMS (s)."""
    return {
        "event_id": f"{actor.ident('m')}-{of}-{metric}",
        "delivery_id": actor.ident(of),
        "internal_customer_id": actor.cio_id,
        "channel": channel,
        "metric": metric,
        "created_at": at,
        "seq_num": at * 100,
        **columns,
    }


def object_row(actor: Actor, name: str, at: int, *, deleted: bool = False) -> dict[str, object]:
    """The object, as of a change."""
    return {
        "object_type_id": 1,
        "internal_object_id": actor.ident("ob"),
        "object_id": f"{name}-{actor.number}",
        "deleted": deleted,
        "created_at": actor.at(0, 0.1),
        "updated_at": at,
    }


def object_name_row(actor: Actor, value: str, at: int) -> dict[str, object]:
    """The object's only attribute."""
    return {
        "object_type_id": 1,
        "internal_object_id": actor.ident("ob"),
        "attribute_name": "name",
        "attribute_value": value,
        "timestamp": at,
    }


def object_type_row(actor: Actor, at: int, *, deleted: bool, enabled: bool) -> dict[str, object]:
    """The object type, as of a change."""
    number = len(TYPE_NAMES) + 1 + actor.number
    return {
        "object_type_id": number,
        "name": f"Projects {number}",
        "slug": f"projects_{number}",
        "deleted": deleted,
        "enabled": enabled,
        "updated_at": at,
    }


def event_row(actor: Actor) -> dict[str, object]:
    """What started the journey."""
    return {
        "event_id": actor.ident("e"),
        "internal_customer_id": actor.cio_id,
        "name": "Checkout Started",
        "type": "event",
        "properties": '{"total":12.50,"items":[{"sku":"B \\"2\\"","note":"ü🦊"}]}',
        "timestamp": actor.at(0, 0.2),
        "processed_at": actor.at(0, 0.25),
        "sources": ["API"],
        "source_uas": ["curl/8.9"],
    }


def reply_row(actor: Actor) -> dict[str, object]:
    """The answer to the SMS; every second one opts out."""
    stop = actor.number % 2 == 1
    return {
        "event_id": actor.ident("i"),
        "internal_customer_id": actor.cio_id,
        "timestamp": actor.at(0, 0.6),
        "processed_at": actor.at(0, 0.62),
        "channel": "sms",
        "from": actor.phone,
        "to": SENDER_NUMBER,
        "body": "stop" if stop else "¿Quién es?",
        "keyword": "STOP" if stop else None,
        "optout": stop,
        "messaging_service_sid": "MG0001",
        "message_sid": actor.ident("SM"),
    }


def letter_row(actor: Actor, recipient: str) -> dict[str, object]:
    """The email's content, which comes a commit after the delivery."""
    return {
        "delivery_id": actor.ident("d"),
        "internal_customer_id": actor.cio_id,
        "type": "email",
        "campaign_id": 1,
        "action_id": 1,
        "from": "Team <team@sender.example>",
        "recipient": recipient,
        "subject": "Willkommen ❄️",
        "body": "<html><body>“Hello”</body></html>",
    }

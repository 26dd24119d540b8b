"""Alerts on the environment's settings (O3): the file, the findings, and the way to the targets."""

from cio_pipeline import channels
from cio_pipeline.destinations.open import credentials_until
from cio_pipeline.destinations.secrets import secret_of
from cio_pipeline.files.system_errors import reason
from cio_pipeline.model.alerts import AlertsFile, Message
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline.alerting.findings import findings
from cio_pipeline.pipeline.alerting.read_file import read_alerts_file
from cio_pipeline.pipeline.alerting.rounds import PING, Round, look, ping, tell
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import Settings


def alerts_file(settings: Settings) -> AlertsFile:
    """What CIO_ALERTS says of who is told; raises InvalidConfig."""
    if settings.alerts is None:
        raise InvalidConfig(
            "Nobody is told of what is wrong: CIO_ALERTS names no file.", "See docs/alerts.md."
        )
    try:
        text = settings.alerts.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidConfig(
            f"The file of alerts {settings.alerts} cannot be read: {why}.", "Check CIO_ALERTS."
        ) from None
    return read_alerts_file(text)


def send(target: str, message: Message) -> None:
    """Send a message to the target behind a reference.

    The secret is read at every call. Raises SecretMissing, InvalidConfig, AlertNotTaken.
    """
    channels.send(secret_of(target), message.title, message.body)


def check_target(target: str) -> None:
    """Raise SecretMissing or InvalidConfig for a target that could never be sent to."""
    channels.check_url(secret_of(target))


def check_ping(reference: str) -> None:
    """Raise SecretMissing or InvalidConfig for a ping_url that could never be asked."""
    if not secret_of(reference).startswith(("http://", "https://")):
        raise InvalidConfig("The ping_url is no URL.", "Write it as https://….")


def one_round(services: Services, file: AlertsFile, asleep: str, *, looks: bool = True) -> str:
    """Look, tell and ping once; what came of it, in words.

    `asleep` says why the ping is held back: nothing looks after the windows. Who was looked at a
    short time ago need not be looked at again.
    """
    now, alerts = services.clock(), services.ledger.alerts
    if looks:
        targets = (*file.targets, *([PING] if file.ping_url else []))
        look(alerts, findings(services, credentials_until), targets, now)
    done: Round = tell(alerts, file, send, now)
    return f"{done} {_pinged(services, file, asleep)}".strip()


def _pinged(services: Services, file: AlertsFile, asleep: str) -> str:
    reference = file.ping_url
    if reference is None:
        return ""
    if asleep:
        return f"No ping was sent: {asleep}"
    problem = ping(
        services.ledger.alerts, lambda: channels.ask(secret_of(reference)), services.clock()
    )
    return f"The ping failed: {problem}." if problem else "The ping was sent."

"""Reading `alerts.yaml` (O3)."""

from pydantic import ValidationError

from cio_pipeline.model.alerts import AlertsFile
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline.syncs.mistakes import in_lines
from cio_pipeline.pipeline.syncs.yaml_text import read_yaml


def read_alerts_file(text: str) -> AlertsFile:
    """The routes of a YAML text; raises InvalidConfig that names every mistake."""
    file = read_yaml(text, "file of alerts", "write `routes:`, and a list of routes below it")
    try:
        return AlertsFile.model_validate(file.content)
    except ValidationError as error:
        raise InvalidConfig(in_lines(error, file), "See docs/alerts.md.") from None

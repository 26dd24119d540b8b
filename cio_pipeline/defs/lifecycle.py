"""Jobs: a small one for each verb in the life of a sync, to be launched from the launchpad.

Belongs here: their configuration. What they do is declared in pipeline/lifecycle/verbs.py.
"""

from typing import Any

import dagster as dg
from pydantic import Field

from cio_pipeline.defs.resources import PipelineResource
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.lifecycle.verbs import VERBS, Verb


class OneSync(dg.Config):
    """Whose life it is."""

    sync_id: str = Field(description="Id of the sync.")


class SomeExports(OneSync):
    """A sync and some of its exports."""

    exports: list[str] = Field(default_factory=list, description="Names of exports.")


class Confirmed(OneSync):
    """A sync, and whether what cannot be undone is to be done."""

    sure: bool = Field(
        default=False, description="Do it; otherwise the run only tells what it would remove."
    )


def job_of(verb: Verb) -> dg.JobDefinition:
    """The job of a verb, with one step."""

    def do(
        context: dg.OpExecutionContext, pipeline: dg.ResourceParam[PipelineResource], config: Any
    ) -> None:
        services = pipeline.services(context.run_id)
        order = Order(
            config.sync_id,
            services.clock(),
            f"Dagster run {context.run_id}",
            tuple(getattr(config, "exports", ())),
            getattr(config, "sure", False),
        )
        report = verb.do(services, order)
        for line in (*report.changed, *report.notes):
            context.log.info(line)
        context.add_output_metadata(
            {
                "changed": dg.MetadataValue.json(list(report.changed)),
                "notes": dg.MetadataValue.md("\n".join(f"- {note}" for note in report.notes)),
                "objects": dg.MetadataValue.json(list(report.objects)),
            }
        )

    # The launchpad's form is made of the annotation.
    do.__annotations__["config"] = _config_of(verb)
    step = dg.op(name=f"{verb.name}_sync", description=verb.summary)(do)

    def steps() -> None:
        step()

    made = dg.job(
        name=f"sync_{verb.name}",
        description=verb.summary,
        executor_def=dg.in_process_executor,
        config={"ops": {step.name: {"config": _example(verb)}}},
    )
    return made(steps)


def _example(verb: Verb) -> dict[str, object]:
    """What the launchpad opens with: all fields, to be filled in. There is no sync of this id."""
    exports = {"exports": ["people"]} if verb.exports else {}
    return {"sync_id": "id-of-the-sync", **exports, **({"sure": False} if verb.removes else {})}


def _config_of(verb: Verb) -> type[OneSync]:
    if verb.removes:
        return Confirmed
    return SomeExports if verb.exports else OneSync


LIFE_JOBS = tuple(map(job_of, VERBS))

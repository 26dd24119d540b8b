"""The root of the command line: its verbs, and how errors are shown.

A verb's module is imported when the verb is called: `--help` need not wait for Polars, SQLAlchemy
and the clients of the stores.
"""

import gc
import os
import sys
import time
from collections.abc import Mapping
from errno import EPIPE
from typing import Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from cio_pipeline import __version__
from cio_pipeline.cli.examples import examples_of
from cio_pipeline.cli.held import EVERY, HELD
from cio_pipeline.cli.later import later
from cio_pipeline.cli.misunderstood import WRONG, in_our_words, readable
from cio_pipeline.cli.output import console
from cio_pipeline.extras import imported
from cio_pipeline.files.system_errors import NO_SPACE, error_number, reason
from cio_pipeline.model.errors import CioError, LeaseHeld

VERBS = {
    "status": "Show what is wrong and what runs now; exit code 1 if something is wrong.",
    "top": "Watch all syncs live: lag, rates and errors, without writing to the ledger.",
    "metrics": "Tell Prometheus of lag, rows, bytes, failures and quarantine of each sync.",
    "doctor": "Look for what is wrong in a window: what it comes from, and what to run next.",
    "alerts": "Who is told of what is wrong: check the file, send a test, list incidents.",
    "source": "Create the source tables, load files into them, look at them.",
    "sync": "Register syncs, look at them, and all that happens in the life of one.",
    "contract": "Data contracts: propose one from the data, try one on it.",
    "quarantine": "Rows that break the contract: list them, send them once mended.",
    "ledger": "Check and back up the ledger; bring it back after a loss.",
    "plan": "What the next sync would send and why; abandon a plan that is stuck.",
    "export": "Run one window, or all from one to another; the runs show up in the Dagster UI.",
    "verify": "Prove from bucket and manifests that nothing is missing, doubled or altered.",
    "replay": "Send windows again, with new numbers; positions stay.",
    "reconcile": "Recount closed windows of a day from the source, and tell what was not sent so.",
    "expire": "Delete delivered files that are old or acknowledged, as each sync's file says.",
    "erase": "Take a person out of all files that were delivered for a workspace.",
    "warehouse": "Load what was delivered into tables.",
    "audience": "People to reach or to leave out, as dbt built them; export them for ad platforms.",
    "report": "Write a page about feeds: what came when, files, funnel, opens, what was held back.",
    "demo": "Simulate a platform, export its history and some windows, verify, show the bucket.",
    "version": "Print the version.",
}
"""What `--help` says of each verb. The module of its name holds the verb itself: a function, or an
`app`; or BELOW says where the verbs below it are."""

BELOW: Mapping[str, Mapping[str, str]] = {
    "source": {
        "pull": "pull",
        "init": "source",
        "load": "source_load",
        "status": "source",
        "install": "postgres_source",
        "uninstall": "postgres_source",
        "role": "postgres_source",
        "prune": "postgres_source",
    },
    "sync": {
        "apply": "apply",
        "history": "sync_history",
        "key-preview": "key_preview",
        "list": "sync",
        "show": "sync",
        **dict.fromkeys(
            ("pause", "resume", "disable", "enable", "upgrade", "purge", "recreate"), "lifecycle"
        ),
        "validate": "validation",
        "policy": "validation",
    },
    "alerts": dict.fromkeys(("check", "test", "list"), "alerts"),
    "audience": {
        **dict.fromkeys(("list", "show", "export"), "audience"),
        "write-back": "audience_write_back",
    },
    "contract": dict.fromkeys(("infer", "check", "schema"), "contract"),
    "quarantine": {"list": "quarantine", "retry": "quarantine_retry"},
    "ledger": {
        **dict.fromkeys(("check", "backup", "prune"), "ledger"),
        **dict.fromkeys(("rebuild", "catch-up"), "ledger_recovery"),
    },
    "warehouse": {"load": "warehouse", "sql": "warehouse_sql", "csv": "warehouse_csv"},
}
"""The modules that hold the verbs below a verb."""

LEDGER_ONLY = frozenset(
    {
        "status",
        "top",
        "metrics",
        "alerts list",
        "quarantine list",
        "sync list",
        "sync show",
        "sync history",
        "sync policy",
        "ledger backup",
        "ledger prune",
    }
)
"""Verbs that ask the ledger alone, which needs no dataframes for that."""


class Verbs(TyperGroup):
    """The verbs by name, each loaded when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _named(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the library's signature
        """A verb, loaded; None if there is none of that name."""
        return loaded(cmd_name) if cmd_name in self.commands else None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """List the verbs with what is said of them here; none is loaded for it."""
        listed = TyperGroup(
            name=self.name,
            commands=[*self.commands.values()],
            params=self.params,
            help=self.help,
            # Boxes and colours take a third of a second to import.
            rich_markup_mode=None,
        )
        listed.format_help(ctx, formatter)


class Below(TyperGroup):
    """The verbs below a verb, each loaded when it is called or listed."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the library's signature
        """A verb, loaded; None if there is none of that name."""
        module = BELOW[self.name or ""].get(cmd_name)
        return _imported(f"{self.name} {cmd_name}", module) if module else None


def _named(verbs: Mapping[str, str]) -> dict[str, TyperCommand]:
    """Names for a list and for slips, with nothing behind them."""
    return {name: TyperCommand(name, help=text, short_help=text) for name, text in verbs.items()}


def loaded(verb: str) -> TyperGroup | TyperCommand:
    """A verb, with those below it."""
    if verb not in BELOW:
        return _imported(verb, verb)
    found: Any = get_group(typer.Typer(cls=Below))
    found.name, found.help, found.epilog = verb, VERBS[verb], examples_of(verb)
    found.commands = _named(BELOW[verb])
    return found


def _imported(verb: str, module: str) -> TyperGroup | TyperCommand:
    """A verb as its module has it."""
    if verb in LEDGER_ONLY:
        later("polars")
    # It would read what every installed package says of itself, for plug-ins.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Nothing of what is imported is ever let go: looking for what could be, now, later and when
    # the process ends, takes as long as all that a verb does.
    gc.disable()
    there = imported(f"cio_pipeline.cli.{module}")
    # Once: what a try with --wait leaves is to be let go of.
    if _CHOSEN["process"] and not _CHOSEN["frozen"]:
        gc.freeze()
        _CHOSEN["frozen"] = True
    gc.enable()
    name = verb.rpartition(" ")[2]
    if hasattr(there, "app"):
        found: Any = get_group(there.app)
        found.help = VERBS[verb]
    else:
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name)(getattr(there, _FUNCTIONS.get(name, name.replace("-", "_"))))
        found = get_command(alone)
    found.name = name
    _with_examples(found, verb)
    return found


_FUNCTIONS = {"list": "list_", "test": "try_out"}


def _with_examples(found: Any, verb: str) -> None:
    found.epilog = examples_of(verb)
    for name, one in getattr(found, "commands", {}).items():
        _with_examples(one, f"{verb} {name}")


app = typer.Typer(
    name="cio-pipeline",
    cls=Verbs,
    help="A data-out feed for every workspace, on tables that you own.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    *,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Wait for other runs that work on the same; without it, exit code 3.",
        ),
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help=VERBS["version"]),
    ] = False,
) -> None:
    """A data-out feed for every workspace, on tables that you own."""
    _CHOSEN["wait"] = wait


_CHOSEN = {"wait": False, "process": False, "frozen": False}
"""What was chosen for all verbs, whether the process ends with the one that is run, and whether
its garbage collector leaves what was imported alone."""


def main() -> None:
    """Run the command line; known errors are one line with a next step, exit code 1.

    What another run works on is left to it, with an exit code of its own, or waited for.
    """
    _CHOSEN["process"] = True
    while (code := _run()) == HELD and _CHOSEN["wait"]:
        time.sleep(EVERY)
    sys.exit(code)


def _run() -> int:
    """Run the command line once; its exit code."""
    try:
        code = app(standalone_mode=False, prog_name="cio-pipeline")
    except typer.TyperException as error:
        return _not_understood(error)
    except CioError as error:
        _say(error.message, error.next_step)
        return HELD if isinstance(error, LeaseHeld) else 1
    except OSError as error:
        return _of_the_system(error)
    except typer.Abort:
        return 1
    except SystemExit as done:
        code = done.code
    return code if isinstance(code, int) else int(code is not None)


def _of_the_system(error: OSError) -> int:
    """The exit code where the system refuses to write or read; raises what is no such error."""
    number = error_number(error)
    if number == EPIPE or number in NO_SPACE:
        # Who reads has seen enough, or the disk is full. The buffer's rest must not be tried again
        # at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if number == EPIPE:
        return 1
    if error.filename is not None:
        _say(f"{error.filename} cannot be used: {error.strerror}.", "Check the path.")
    elif number in NO_SPACE:
        _say(f"What it says or makes cannot be written: {reason(error)}.", "Write it elsewhere.")
    else:
        raise error
    return 1


def _not_understood(error: typer.TyperException) -> int:
    shown: Any = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(shown.get_help())
    else:
        _say(*in_our_words(error))
    return WRONG


def _say(message: str, next_step: str) -> None:
    terminal = console(stderr=True)
    terminal.print(Text("Error: ", "bold red") + Text(readable(message)))
    if next_step:
        terminal.print(Text(readable(next_step), "yellow"))

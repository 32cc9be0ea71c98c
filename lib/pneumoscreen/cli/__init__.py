"""The command line: ``pneumoscreen COMMAND``; ``pneumoscreen --help`` lists the commands.

This package knows options and exit statuses; the work of a command stands in ``commands/`` or in the part
it belongs to and is imported when the command runs, so that ``pneumoscreen --help`` answers at once.

Exit status: 0 done; 1 a fault of the program; 2 bad usage or bad input, one line on standard error for each;
130 interrupted; 141 the reader of standard output went away.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from .. import RESEARCH_USE_ONLY, __version__
from ..commands.terminal import complain, quiet_packages, write_any_name
from ..errors import PneumoScreenError
from .cases import import_, phantom
from .evaluation import evaluate
from .export import app as export
from .keeping import backup, restore
from .learning import crossvalidate, simulate, train
from .models import app as models
from .monitoring import monitor
from .pacs import app as pacs
from .receive import receive
from .screening import archive, bench, demo, screen
from .serving import serve
from .tokens import app as tokens

__all__ = ["app", "main"]

STATUS_BAD_INPUT = 2
STATUS_INTERRUPTED = 130
STATUS_BROKEN_PIPE = 141

app = typer.Typer(
    name="pneumoscreen",
    help=f"Screening of chest CTs and X-rays for pneumonia.\n\n{RESEARCH_USE_ONLY}",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS: dict[str, Callable[..., int | None]] = {
    "screen": screen,
    "archive": archive,
    "serve": serve,
    "receive": receive,
    "train": train,
    "evaluate": evaluate,
    "crossvalidate": crossvalidate,
    "simulate": simulate,
    "monitor": monitor,
    "phantom": phantom,
    "import": import_,
    "demo": demo,
    "bench": bench,
    "backup": backup,
    "restore": restore,
}
"""In the order in which ``--help`` lists them."""
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(export, name="export")
app.add_typer(models, name="models")
app.add_typer(tokens, name="tokens")
pacs.command("receive")(receive)
app.add_typer(pacs, name="pacs")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pneumoscreen {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that stand before the command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status; a user's mistake ends in one line, not a traceback."""
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    quiet_packages()
    write_any_name()
    try:
        status = app(args=arguments, prog_name="pneumoscreen", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "pneumoscreen"
        complain(f"{command}: {error.format_message().rstrip('.')} (see {command} --help)")
        status = STATUS_BAD_INPUT
    except PneumoScreenError as error:
        complain(str(error))
        status = STATUS_BAD_INPUT
    except (KeyboardInterrupt, typer.Abort):
        status = STATUS_INTERRUPTED
    except BrokenPipeError:
        status = STATUS_BROKEN_PIPE
    except OSError as error:
        # A full disk, a folder taken away: nothing to mend in the program.
        complain(f"{error.filename or 'input or output'}: {error.strerror or error}")
        status = STATUS_BAD_INPUT
    except SystemExit as ending:
        # Typer turns a broken pipe into status 1, which here means a fault.
        if not isinstance(ending.__context__, BrokenPipeError):
            raise
        status = STATUS_BROKEN_PIPE
    if status == STATUS_BROKEN_PIPE:
        # The interpreter flushes standard output once more at its end; that must find an open file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if status == STATUS_INTERRUPTED:
        # A second Ctrl-C while threads wind down ends the program without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return int(status or 0)

"""The command line: one command, one file, imported on use."""

import gc
import importlib

import click

_COMMANDS = {
    "can-i": "slipway.cli.can_i",
    "check": "slipway.cli.check",
    "diff": "slipway.cli.diff",
    "env": "slipway.cli.env",
    "init": "slipway.cli.init",
    "explain": "slipway.cli.explain",
    "lab": "slipway.cli.lab",
    "matrix": "slipway.cli.matrix",
    "onboard": "slipway.cli.onboard",
    "preview": "slipway.cli.preview",
    "render": "slipway.cli.render",
    "retire": "slipway.cli.retire",
    "up": "slipway.cli.up",
    "verify": "slipway.cli.verify",
}
# Commands that build one large tree, answer and end: looking for garbage in it again and again doubles their time.
_READING = frozenset({"can-i", "check", "diff", "explain", "matrix", "render"})


class _LazyGroup(click.Group):
    """A group that imports a command only when it is called or described."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = _COMMANDS.get(cmd_name)
        return None if module is None else getattr(importlib.import_module(module), cmd_name.replace("-", "_"))

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - the outermost place: nothing leaves as a traceback
            from slipway.cli import failures

            failures.end(error)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="slipway")
@click.pass_context
def main(context: click.Context) -> None:
    """Roll Istio out across a cluster and the machines beside it.

    \b
    Exit codes: 0 fine; 1 an effect failed, or a call is denied; 2 bad input; 3 a gate is unmet, or the answer
    is unknown; 4 someone else holds the lock.
    """
    if context.invoked_subcommand in _READING:
        gc.disable()
        context.call_on_close(gc.enable)

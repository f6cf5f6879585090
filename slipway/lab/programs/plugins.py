"""Offer cached Pulumi plugins to a PULUMI_HOME."""

from pathlib import Path

from slipway.lab.programs.model import Program


def link_plugins(program: Program, *, pulumi_home: Path) -> None:
    """Make the plugins of ``program`` known to the Pulumi home ``pulumi_home``; repeating it changes nothing.

    The engine lists real folders only, so each plugin gets a folder of its own with links to the cached files.

    Source: pulumi v3.258.0 sdk/go/common/workspace/plugins.go, GetPluginsFromDir and getPluginPath.
    """
    for plugin in sorted(path for path in program.plugins.iterdir() if path.is_dir()):
        folder = pulumi_home / "plugins" / plugin.name
        folder.mkdir(parents=True, exist_ok=True)
        for file in plugin.iterdir():
            link = folder / file.name
            if link.is_symlink() and link.readlink() == file:
                continue
            link.unlink(missing_ok=True)
            link.symlink_to(file)

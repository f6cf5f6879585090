"""The declared environment's platform and machines on Azure, without the mesh: no cluster is asked for anything."""

import datetime
from pathlib import Path

import pulumi

from components import platform
from components.azure import platform as azure_platform
from components.azure import settings
from policies.bundles import compiler
from slipway.mesh import loader
from slipway.world import files

STACKS = Path(__file__).parent / "stacks"

name = pulumi.get_stack()
sources = files.read_sources(STACKS, name)
today = datetime.datetime.now(tz=datetime.UTC).date()
mesh = loader.examine(sources.mesh, sources.environment, environment_name=name, today=today).resolved()
bundle = compiler.compile_bundle(mesh)
arguments = settings.read(mesh, bundle=bundle, folder=STACKS)
made = azure_platform.AzurePlatform("azure", arguments)
for machine in mesh.machines:
    made.machine(platform.MachineArgs(machine=machine, nsg=bundle.nsg[machine.name], names=()))

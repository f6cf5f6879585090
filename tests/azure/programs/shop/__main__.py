"""The declared environment on Azure: its platform and machines alone, or with the mesh on the lab's Kubernetes.

With the mesh it is the checkout's own program, but for Istio: charts and images are the lab's, since nothing is
fetched from the internet, and istiod asks nothing of them that only Istio's own Envoy has.
"""

import dataclasses
import datetime
from pathlib import Path

import pulumi

from components import platform, platforms
from components.azure import istio, settings
from components.azure import platform as azure_platform
from policies.bundles import compiler, mesh_config
from slipway.mesh import loader, model
from slipway.world import files

STACKS = Path(__file__).parent / "stacks"

stack = pulumi.get_stack()
name = files.environment_of(STACKS, stack)
sources = files.read_sources(STACKS, name)
today = datetime.datetime.now(tz=datetime.UTC).date()
mesh = loader.examine(sources.mesh, sources.environment, environment_name=name, today=today).resolved()
bundle = compiler.compile_bundle(mesh)
if pulumi.Config().get_bool("mesh"):
    from components.lab import settings as lab_settings

    plain = mesh_config.emit_control_plane(dataclasses.replace(mesh, platform=model.PlatformKind.LAB))
    bundle = dataclasses.replace(bundle, control_plane=plain)
    istio.charts_of = lambda _: lab_settings.built_charts()
    outputs = platforms.build(mesh, stack=stack, bundle=bundle, folder=STACKS, lab_instance=None)
    for key, value in outputs.items():
        pulumi.export(key, value)
else:
    made = azure_platform.AzurePlatform("azure", settings.read(mesh, bundle=bundle, folder=STACKS))
    for machine in mesh.machines:
        made.machine(platform.MachineArgs(machine=machine, nsg=bundle.nsg[machine.name], names=()))

"""The guard of each machine, by the phases' positions."""

from policies.bundles import dependencies, positions
from slipway.manifests import guard
from slipway.mesh import azure_plan, model


def emit_guard(mesh: model.Mesh, machine: model.Machine) -> guard.GuardPolicy:
    """Return the guard of ``machine``: never more closed than the sidecar, never more open than the phases say."""
    ssh = machine.ssh
    closed = [mesh.service(name) for name in machine.services if not positions.is_open(mesh, mesh.service(name))]
    outbound = {
        model.EgressMode.OPEN: guard.Outbound.OPEN,
        model.EgressMode.OBSERVED: guard.Outbound.OPEN,
        model.EgressMode.LOCKED: guard.Outbound.DECLARED,
    }[mesh.phases.egress]
    return guard.GuardPolicy(
        machine=machine.name,
        captured_ports=tuple(sorted({port.number for item in closed for port in item.ports})),
        other_inbound=positions.other_inbound(mesh, machine),
        outbound=outbound,
        mesh=dependencies.mesh_reach(mesh, machine),
        resolver=mesh.network.resolver,
        metadata=mesh.network.metadata,
        vault=mesh.network.vault,
        archive=azure_plan.archive_address(mesh, machine),
        administration=() if ssh is None else (guard.Reach(cidr=ssh.source, ports=(ssh.port,)),),
    )

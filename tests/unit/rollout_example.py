"""The example's declaration, samples and plan, as the tests of rollout take them."""

from pathlib import Path

from slipway.mesh import loader, model
from slipway.rollout import ground_fake, plan, samples
from slipway.rollout.checks.check import Check
from slipway.world import files

STACKS = Path(__file__).parents[2] / "stacks"


def mesh() -> model.Mesh:
    sources = files.read_sources(STACKS, "lab")
    return loader.load(sources.mesh, sources.environment, environment_name="lab")


def known(declared: model.Mesh) -> samples.Samples:
    path = STACKS / "probes.yaml"
    return samples.load(path.read_bytes(), file=str(path), mesh=declared)


def checks(declared: model.Mesh | None = None) -> tuple[Check, ...]:
    declared = mesh() if declared is None else declared
    internet = ground_fake.surroundings().internet
    return plan.compile_plan(declared, known=known(mesh()), internet=internet, ingress_authority="/authority.pem")

"""How a lab comes up: each step looks first and makes what is missing."""

import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.lab import (
    certificates,
    cgroups,
    cluster,
    forwards,
    image_recipes,
    image_store,
    images,
    internet,
    kernel_settings,
    kubernetes,
    load_balancer,
    mounts,
    network,
    overlay,
    platform,
    programs,
    supervision,
    texts,
    waiting,
)
from slipway.lab import instance as instances
from slipway.lab.machines import api, base
from slipway.lab.supervision import Needs

# Built side by side when they are missing; the last two are for `pulumi up`, which comes next.
PROGRAMS = (
    "kubernetes",
    "coredns",
    "kube-router",
    "istio",
    "envoy",
    "zipkin",
    "shop",
    "pulumi",
    "pulumi-resource-kubernetes",
)
_CONTAINERD_LIMIT_S = 30.0


Report = Callable[[str], None]
"""Takes one line for somebody who waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """What `up` did: seconds by stage, images imported, services that had to be started, machines brought back."""

    stages_s: Mapping[str, float]
    imported: tuple[str, ...]
    started: tuple[str, ...]
    healed: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything was missing."""
        return bool(self.imported or self.started or self.healed)


class Ascent:
    """One run of `up`."""

    def __init__(self, instance: instances.Instance, report: Report) -> None:
        self._instance = instance
        self._report = report
        self._stages_s: dict[str, float] = {}

    def run(self) -> Up:
        """Make everything run and wait until it serves."""
        instance = self._instance
        with self._stage("programs"):
            programs.install_debian_packages(self._report)
            found = self._ensure_programs()
        binaries = found["kubernetes"].bin
        references = image_recipes.references(found)
        with self._stage("network and files"):
            instance.state.mkdir(parents=True, exist_ok=True)
            instance.state.chmod(texts.PRIVATE_FOLDER_MODE)
            certificates.ensure(instance)
            chosen = self._write(references)
            self._attach()
            if supervision.has_stranded_pods(instance):
                end_processes(instance, f"{instance.cgroup}/{kubernetes.PODS_GROUP}")
        recipes = image_recipes.recipes(instance, found)
        with self._stage("image archives"):
            shared = images.build(instance, [item for item in recipes if not item.local], report=self._report)
        services = self._services(found, chosen)
        with self._stage("sidecar package"):
            api.prepare(instance, self._report)
        with self._stage("services"):
            has_no_images = image_store.lay(instance, shared)
            supervision.configure(instance, services)
            started = supervision.prepare(instance, services) + self._start(services, Needs.NOTHING)
        with self._stage("images"):
            imported = self._import_shared(recipes, keep=shared if has_no_images else ())
        with self._stage("cluster"), concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
            own = [image for image in recipes if image.local]
            importing = pool.submit(images.ensure, instance, own, report=self._report)
            cluster.await_api(instance)
            started += self._start(services, Needs.API)
            cluster.install(instance, binaries, references)
            cluster.await_node(instance)
            started += self._start(services, Needs.NODE)
            imported += importing.result()
        with self._stage("DNS and Zipkin"):
            cluster.await_deployments(instance)
            supervision.await_running(instance)
        with self._stage("machines"):
            healed = api.heal(instance, self._report)
        return Up(stages_s=self._stages_s, imported=imported, started=started, healed=healed)

    def _ensure_programs(self) -> dict[str, programs.Program]:
        """Return the programs; the machines' image, which mostly waits for the network, is made meanwhile."""
        with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
            making = pool.submit(base.ensure, self._instance.cache, self._report)
            found = programs.ensure(PROGRAMS, report=self._program)
            making.result()
        return found

    def _start(self, services: Sequence[supervision.Service], needs: Needs) -> tuple[str, ...]:
        return supervision.start(self._instance, [item.name for item in services if item.needs is needs])

    def _write(self, references: Mapping[str, str]) -> dict[str, int]:
        chosen = forwards.choose(self._instance)
        state = self._instance.state
        for path, text in kubernetes.configuration(self._instance, references).items():
            texts.write(state / path, text)
        for path, text in kubernetes.kubeconfigs(self._instance, chosen[forwards.API_SERVER]).items():
            texts.write(state / path, text, mode=texts.PRIVATE_MODE)
        return chosen

    def _attach(self) -> None:
        network.create(self._instance)
        internet.prepare(self._instance)
        platform.prepare(self._instance)
        node = [instances.on_fabric(instances.NODE_ADDRESS)]
        network.attach(self._instance, instances.NODE, node, default_via=instances.INTERNET_ADDRESS)
        kubernetes_settings = ["net.ipv4.ip_forward=1", "net.ipv4.conf.all.route_localnet=1"]
        argv = ["sysctl", "--quiet", "--write", *kubernetes_settings]
        network.run(self._instance, instances.NODE, argv, timeout_s=10)
        overlay.apply(self._instance)
        mounts.create(self._instance)
        kernel_settings.remember()
        kernel_settings.provide()
        cgroups.create(self._instance.cgroup)

    def _services(
        self, found: Mapping[str, programs.Program], chosen: Mapping[str, int]
    ) -> tuple[supervision.Service, ...]:
        node = kubernetes.Programs(kubernetes=found["kubernetes"].bin, kube_router=found["kube-router"].bin)
        return (
            *kubernetes.services(self._instance, node),
            *platform.services(self._instance, coredns=found["coredns"]),
            *internet.services(self._instance, istio=found["istio"], coredns=found["coredns"]),
            load_balancer.service(self._instance),
            *forwards.services(self._instance, chosen),
        )

    def _import_shared(self, recipes: Sequence[images.Image], *, keep: Sequence[Path]) -> tuple[str, ...]:
        self._await_containerd()
        shared = [image for image in recipes if not image.local]
        imported = images.ensure(self._instance, shared, report=self._report)
        if keep:
            supervision.pause(self._instance, "containerd")
            image_store.keep(self._instance, keep)
            supervision.start(self._instance, ["containerd"])
            self._await_containerd()
        return imported

    def _await_containerd(self) -> None:
        hint = f"its log is {self._instance.log_folder / 'containerd.log'}"
        what = f"containerd ({kubernetes.containerd_socket(self._instance)})"
        waiting.until(lambda: images.unreachable(self._instance), limit_s=_CONTAINERD_LIMIT_S, what=what, hint=hint)

    def _program(self, progress: programs.Progress) -> None:
        self._report(f"{progress.program}: {progress.step} {progress.detail}")

    @contextlib.contextmanager
    def _stage(self, name: str) -> Generator[None]:
        started = time.monotonic()
        yield
        self._stages_s[name] = time.monotonic() - started
        self._report(f"{name}: {self._stages_s[name]:.1f} s")


def end_processes(instance: instances.Instance, group: str) -> None:
    """End the services, the shims of containers and everything in the control group ``group``."""
    supervision.stop(instance)
    cgroups.end(group)

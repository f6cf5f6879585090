"""Run the stand-in: it prints its port, and serves until its standard input closes."""

import argparse
import sys
from concurrent import futures
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from standin import cloud, faults, functions, manager, provider

_THREADS = 32  # a slow operation holds one; the engine runs 16 at once
_LARGEST_MESSAGE_BYTES = 400 * 1024 * 1024  # as the engine's own. Source: pulumi, sdk/go/common/util/rpcutil


def main(arguments: list[str]) -> None:
    """Serve until the process that started this one is gone."""
    parser = argparse.ArgumentParser(prog="python -m standin")
    parser.add_argument("--cloud", type=Path, required=True, help="the file in which the cloud is kept")
    parser.add_argument("--faults", type=Path, help="the control file; see standin/faults.py")
    parser.add_argument("--kubeconfig", type=Path, help="what every cluster hands out instead of its own")
    parser.add_argument("--lab", help="the lab in which machines boot; without it they are records")
    options = parser.parse_args(arguments)
    known = cloud.Cloud(options.cloud)
    site = None if options.lab is None else _site(options.lab, known, options.cloud.parent / "disks")
    operations = manager.Manager(known, faults.Faults(options.faults, known), site)
    served = provider.Provider(operations, functions.Functions(operations, options.kubeconfig))
    server = grpc.server(
        futures.ThreadPoolExecutor(_THREADS),
        options=[("grpc.max_receive_message_length", _LARGEST_MESSAGE_BYTES)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(served, server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)  # noqa: T201 - the caller reads it
    server.start()
    sys.stdin.read()
    operations.cancel()
    server.stop(grace=1).wait()


def _site(name: str, known: cloud.Cloud, folder: Path) -> manager.Site:
    from slipway.lab import instance  # noqa: PLC0415 - the lab needs Linux, and most tests none
    from standin import lab_site  # noqa: PLC0415

    return lab_site.LabSite(instance.named(name), known, folder)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Importing a module does nothing, and imports go down the rooms only."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# The audit hook sees every file that is opened for writing, every socket and every process, whoever asks for them.
PROGRAM = """
import importlib, os, pkgutil, sys
sys.dont_write_bytecode = True
import pulumi, pulumi_azure_native, pulumi_kubernetes
import kubernetes, rich, click, jinja2, cryptography.x509, filelock, tenacity  # not ours
ours = ("slipway", "policies", "components")
seen = []
def watch(event, arguments):
    if event in {"socket.connect", "subprocess.Popen", "os.system", "socket.bind", "os.mkdir", "os.putenv"}:
        seen.append((event, str(arguments)))
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append((event, str(arguments)))
names = []
for root in ours:
    package = importlib.import_module(root)
    names += [module.name for module in pkgutil.walk_packages(package.__path__, root + ".")]
names = [name for name in names if not name.endswith(".__main__")]
before = dict(os.environ)
sys.addaudithook(watch)
for name in names:
    importlib.import_module(name)
assert dict(os.environ) == before, "the environment changed"
assert not seen, seen
print(len(names))
"""


def test_importing_any_module_has_no_effect():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


def test_imports_go_down_the_rooms_only():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout

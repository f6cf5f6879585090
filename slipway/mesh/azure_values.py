"""Values that only Azure has: regions, sizes, images, keys and names, checked and in one spelling."""

import re

from slipway.diagnostics import catalogue, wording
from slipway.mesh import azure
from slipway.mesh.shape import Rejected

_REGION = re.compile(r"[a-z]{4,30}[0-9]?")
_MINOR = re.compile(r"1\.[1-9][0-9]")
_VERSION = re.compile(r"1\.[1-9][0-9]\.(0|[1-9][0-9]*)")
_OBJECT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SIZE = re.compile(r"Standard_[A-Z]+[0-9]+[A-Za-z0-9_-]*")
_URN = re.compile(r"[A-Za-z0-9._-]+:[A-Za-z0-9._-]+:[A-Za-z0-9._-]+:([A-Za-z0-9._-]+)")
_IMAGE_ID = re.compile(
    r"/subscriptions/[^\s]+/providers/Microsoft\.Compute/galleries/[^\s]+/versions/([0-9.]+|latest)"
)
_PUBLIC_KEY = re.compile(r"(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/]{60,}={0,2}( [!-~]+)?")
_PACKAGE_URL = re.compile(r"(https://[^\s/?#]+|file:///)[!-~]*\.deb")
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Source: Azure documentation, azure-resource-manager/management/resource-name-rules, Microsoft.KeyVault vaults.
_VAULT = re.compile(r"(?=.{3,24}$)[a-zA-Z](-?[a-zA-Z0-9])*")
_CHARTS = re.compile(r"(oci|https)://[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._-]+)*/?|[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_HUB = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+")
# Source: the same, Microsoft.Storage storageAccounts.
_STORAGE = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER_IMAGE = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})")


def parse_region(text: str) -> str:
    """Return a region's short name; raises Rejected (MESH0801)."""
    if _REGION.fullmatch(text):
        return text
    raise _refused(
        text, "the short name of a region", "write it as `westeurope`; `az account list-locations` has all"
    )


def parse_weekday(text: str) -> str:
    """Return a day of the week as AKS spells it; raises Rejected (MESH0801)."""
    if text in {item.value for item in azure.Day}:
        return text
    raise _refused(text, "a day of the week", "write it as `Sunday`")


def parse_minor(text: str) -> str:
    """Return a minor version of Kubernetes; raises Rejected (MESH0801)."""
    if _MINOR.fullmatch(text):
        return text
    raise _refused(text, "a minor version of Kubernetes", 'write it as `"1.34"`: AKS chooses its newest patch')


def parse_version(text: str) -> str:
    """Return a full version of Istio; raises Rejected (MESH0801)."""
    if _VERSION.fullmatch(text):
        return text
    raise _refused(text, "a version of Istio", "write it with its patch, as `1.29.1`")


def parse_object_id(text: str) -> str:
    """Return the object id of an Entra group in lower case; raises Rejected (MESH0801)."""
    if _OBJECT_ID.fullmatch(text.lower()):
        return text.lower()
    raise _refused(text, "the object id of a group", "`az ad group show --group NAME --query id` prints it")


def parse_size(text: str) -> str:
    """Return the size of a virtual machine; raises Rejected (MESH0801)."""
    if _SIZE.fullmatch(text):
        return text
    raise _refused(text, "the size of a machine", "write it as `Standard_D4ds_v5`; `az vm list-sizes` has all")


def parse_image(text: str) -> str:
    """Return an image of one version; raises Rejected (MESH0801), and MESH0807 for ``latest``.

    Source: Azure documentation, virtual-machines/linux/cli-ps-findimage, "URN", and shared-image-galleries.
    """
    found = _URN.fullmatch(text) or _IMAGE_ID.fullmatch(text)
    if found is None:
        hint = "write it as `publisher:offer:sku:version`, or the id of a gallery image's version"
        raise _refused(text, "an image", hint)
    if found[1] == "latest":
        sentence = f"{wording.quoted(text)} is another image every week; a machine made again would not be the same"
        raise Rejected(catalogue.IMAGE_NOT_PINNED, sentence, hint="`az vm image list --all` has the versions")
    return text


def parse_public_key(text: str) -> str:
    """Return a public SSH key; raises Rejected (MESH0801), without showing what might be a private one."""
    if _PUBLIC_KEY.fullmatch(text.strip()):
        return text.strip()
    sentence = "this is not a public SSH key"
    hint = "write the one line of a `.pub` file: `ssh-ed25519 ...` or `ssh-rsa ...`"
    raise Rejected(catalogue.AZURE_VALUE, sentence, hint=hint, found="")


def parse_package_url(text: str) -> str:
    """Return where a Debian package is: ``https://`` or ``file:///``; raises Rejected (MESH0801).

    Without a query: a signature in it would be a secret in user-data.
    """
    if _PACKAGE_URL.fullmatch(text) and "?" not in text and "@" not in text:
        return text
    sentence = "this is not the address of a Debian package without credentials"
    hint = "write `https://host/path.deb`, or `file:///path.deb` inside the image"
    raise Rejected(catalogue.AZURE_VALUE, sentence, hint=hint, found="")


def parse_digest(text: str) -> str:
    """Return a SHA-256 digest in hex; raises Rejected (MESH0801)."""
    if _DIGEST.fullmatch(text):
        return text
    raise _refused(text, "a SHA-256 digest", "`sha256sum FILE` prints it: 64 digits and letters a to f")


def parse_vault(text: str) -> str:
    """Return the name of a key vault; raises Rejected (MESH0803)."""
    if _VAULT.fullmatch(text):
        return text
    sentence = f"{wording.quoted(text)} is not a name for a key vault: 3 to 24 letters, digits and single `-`"
    raise Rejected(catalogue.AZURE_NAME, sentence, hint="begin with a letter; it is unique in all of Azure")


def parse_archive(text: str) -> str:
    """Return the name of a storage account; raises Rejected (MESH0803)."""
    if _STORAGE.fullmatch(text):
        return text
    sentence = f"{wording.quoted(text)} is not a name for a storage account: 3 to 24 lower-case letters and digits"
    raise Rejected(catalogue.AZURE_NAME, sentence, hint="it is unique in all of Azure")


def parse_container_image(text: str) -> str:
    """Return a container image with its registry and a tag or digest; raises Rejected (MESH0801, MESH0807)."""
    if text.endswith(":latest"):
        sentence = f"{wording.quoted(text)} is another image every week"
        raise Rejected(catalogue.IMAGE_NOT_PINNED, sentence, hint="state a version or a digest")
    if _CONTAINER_IMAGE.fullmatch(text):
        return text
    raise _refused(text, "a container image with a version", "write it as `registry.example.com/python:3.12`")


def parse_charts(text: str) -> str:
    """Return where charts are: an OCI reference, a repository's address or a relative folder.

    Raises Rejected (MESH0801). Without credentials: they would stand in the state, and Helm has its own for them.
    """
    if _CHARTS.fullmatch(text):
        return text
    sentence = "this is not a place of charts without credentials"
    hint = "write `oci://registry.example.com/istio/charts`, `https://charts.example.com/istio` or `vendor/charts`"
    raise Rejected(catalogue.AZURE_VALUE, sentence, hint=hint, found="")


def parse_hub(text: str) -> str:
    """Return a registry with a path, from which images are pulled; raises Rejected (MESH0801)."""
    if _HUB.fullmatch(text):
        return text
    raise _refused(text, "a registry of images without a tag", "write it as `registry.example.com/istio`")


def _refused(text: str, noun: str, hint: str) -> Rejected:
    return Rejected(catalogue.AZURE_VALUE, f"{wording.quoted(text)} is not {noun}", hint=hint)

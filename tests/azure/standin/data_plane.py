"""What machines and pods ask Azure itself: who they are, a login by workload identity, secrets, blobs.

Who may do what follows from the cloud's records and nothing else: identities of machines, federated credentials, role
assignments. Access tokens and the secrets' values live in memory only, blobs in a folder.

Sources: Azure documentation, entra/identity/managed-identities-azure-resources/how-to-use-vm-token; Microsoft
identity platform, client credentials with a federated credential; Key Vault REST API 7.4, "Get Secret" and "Set
Secret"; rest/api/storageservices, "Put Blob", "Get Blob" and "Blob service error codes";
role-based-access-control/built-in-roles for the ids of roles.
"""

import json
import secrets
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slipway.lab.identity_server import Answer, refused
from slipway.mesh.azure_plan import STORAGE_RESOURCE, VAULT_RESOURCE
from standin import arm, blob_store, catalogue, cloud, outputs, values
from standin.types import protection

LIFETIME_S = 3600
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
_READERS, _WRITERS = {SECRETS_USER, SECRETS_OFFICER}, {SECRETS_OFFICER}
_RESOURCES = (VAULT_RESOURCE, STORAGE_RESOURCE)
_CLUSTER = "azure-native:containerservice:ManagedCluster"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class DataPlane:
    """The answers for the cloud in ``path``.

    ``account`` returns the user name of a ServiceAccount's token for an audience, or nothing for any other text: the
    cluster that all clusters of this cloud hand out says so.
    """

    def __init__(self, path: Path, *, account: Callable[[str, str], str], blobs: Path) -> None:
        self._path = path
        self._account = account
        self._blobs = blob_store.BlobStore(blobs)
        self._principals: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._lock = threading.Lock()

    def metadata(self, *, address: str, path: str, marked: bool) -> Answer:
        """Answer as the instance metadata service; ``marked`` says whether the header `Metadata: true` came."""
        parts = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if not marked or "api-version" not in query:
            return refused(400, "invalid_request", "the header Metadata or the api-version is missing")
        if parts.path != "/metadata/identity/oauth2/token":
            return refused(404, "not_found", "there is nothing but tokens")
        identity = _identity_at(cloud.Cloud(self._path), address)
        if identity is None:
            return refused(400, "invalid_request", "Identity not found")
        return self._token(protection.identity(identity)["principalId"], query.get("resource", ""))

    def login(self, *, path: str, form: Mapping[str, str]) -> Answer:
        """Answer as Entra: an access token for a ServiceAccount's, where an identity trusts it."""
        known = cloud.Cloud(self._path)
        if path != f"/{arm.TENANT}/oauth2/v2.0/token" or form.get("client_assertion_type") != _ASSERTION:
            return refused(400, "invalid_request", "AADSTS900144: a request of another shape")
        identities = known.all("Microsoft.ManagedIdentity/userAssignedIdentities")
        wanted = form.get("client_id")
        identity = next((item for item in identities if protection.identity(item)["clientId"] == wanted), None)
        if identity is None:
            return refused(400, "unauthorized_client", f"AADSTS700016: no application with the id {wanted}")
        issuers = {_issuer(known, item) for item in known.all("Microsoft.ContainerService/managedClusters")}
        for trusted in known.below(identity.id):
            (audience,) = trusted.inputs["audiences"]
            subject = self._account(form.get("client_assertion", ""), audience)
            if subject and subject == trusted.inputs["subject"] and trusted.inputs["issuer"] in issuers:
                resource = form.get("scope", "").removesuffix("/.default")
                return self._token(protection.identity(identity)["principalId"], resource)
        return refused(401, "invalid_client", "AADSTS700213: no federated credential matches the assertion")

    def vault(self, *, host: str, method: str, path: str, authorization: str, body: Any = None) -> Answer:
        """Answer as a key vault: read or write one secret."""
        known = cloud.Cloud(self._path)
        principal = self._principal(authorization, VAULT_RESOURCE)
        if principal is None:
            return refused(401, "Unauthorized", "AKV10000: Request is missing a Bearer token, or it is not valid.")
        name, found = host.partition(".")[0], None
        for vault in known.all("Microsoft.KeyVault/vaults"):
            found = vault if arm.name_of(vault.id).lower() == name else found
        words = urllib.parse.urlsplit(path).path.strip("/").split("/")
        if found is None or len(words) != 2 or words[0] != "secrets":
            return refused(404, "NotFound", "there are only secrets")
        secret = f"{found.id}/secrets/{words[1]}"
        if not _may(known, principal, secret, _WRITERS if method == "PUT" else _READERS):
            return refused(403, "Forbidden", f"the caller has no permission on {secret}")
        return self._secret(known, secret, method, body)

    def blob(
        self, *, host: str, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> blob_store.BlobAnswer:
        """Answer as a storage account: put, get or describe one blob; ``headers`` are by lower-case name."""
        known = cloud.Cloud(self._path)
        principal = self._principal(headers.get("authorization", ""), STORAGE_RESOURCE)
        if principal is None:
            return blob_store.refused(401, "InvalidAuthenticationInfo")
        name = host.partition(".")[0]
        accounts = [item for item in known.all("Microsoft.Storage/storageAccounts") if arm.name_of(item.id) == name]
        container, _, blob = urllib.parse.urlsplit(path).path.strip("/").partition("/")
        scope = f"{accounts[0].id}/blobServices/default/containers/{container}" if accounts else ""
        if known.get(scope) is None:
            return blob_store.refused(404, "ContainerNotFound")
        if not _may(known, principal, scope, {BLOB_CONTRIBUTOR}):
            return blob_store.refused(403, "AuthorizationPermissionMismatch")
        return self._blobs.answer(method, f"{name}/{container}/{blob}", headers, body)

    def away(self, *, is_away: bool) -> None:
        """Let the storage answer nothing but that it is busy, or be back."""
        self._blobs.is_away = is_away

    def _principal(self, authorization: str, resource: str) -> str | None:
        with self._lock:
            return self._principals.get((authorization.removeprefix("Bearer "), resource))

    def keep(self, secret: str, value: str) -> None:
        """Set a secret as a person with every right would."""
        with self._lock:
            self._values[secret.lower()] = value

    def _secret(self, known: cloud.Cloud, secret: str, method: str, body: Any) -> Answer:
        if method == "PUT":
            self.keep(secret, body["value"])
        record = known.get(secret)
        with self._lock:
            value = self._values.get(secret.lower())
        if value is None and record is not None:
            value = values.one(record.inputs, "properties.value")
        if value is None:
            return refused(404, "SecretNotFound", f"{secret} was not found")
        return Answer(status=200, body={"value": value, "id": secret})

    def _token(self, principal: str, resource: str) -> Answer:
        if resource.rstrip("/") not in _RESOURCES:
            return refused(400, "invalid_resource", f"there are tokens for {' and '.join(_RESOURCES)} only")
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._principals[token, resource.rstrip("/")] = principal
        return Answer(status=200, body={"access_token": token, "expires_in": str(LIFETIME_S), "token_type": "Bearer"})


def _identity_at(known: cloud.Cloud, address: str) -> cloud.Record | None:
    """Return the only identity of the machine whose interface has ``address``."""
    for machine in known.all("Microsoft.Compute/virtualMachines"):
        cards = map(known.get, values.at(machine.inputs, "networkProfile.networkInterfaces[].id"))
        if any(card and address in values.at(card.inputs, "ipConfigurations[].privateIPAddress") for card in cards):
            given = values.at(machine.inputs, "identity.userAssignedIdentities[]")
            return known.get(given[0]) if len(given) == 1 else None
    return None


def _issuer(known: cloud.Cloud, cluster: cloud.Record) -> str:
    shown = outputs.of(known, catalogue.by_token(_CLUSTER), cluster)
    return values.one(shown, "oidcIssuerProfile.issuerURL", "")


def _may(known: cloud.Cloud, principal: str, secret: str, roles: set[str]) -> bool:
    """Say whether a role assignment gives ``principal`` one of ``roles`` on the secret or on what it stands in."""
    for item in known.all("Microsoft.Authorization/roleAssignments"):
        covers = f"{secret.lower()}/".startswith(f"{item.inputs['scope'].lower()}/")
        role = arm.name_of(item.inputs["roleDefinitionId"])
        if covers and item.inputs["principalId"] == principal and role in roles:
            return True
    return False


def parsed(text: bytes) -> Any:
    """Return a JSON document, or nothing."""
    return json.loads(text) if text else None

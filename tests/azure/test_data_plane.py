"""Who gets a token and a secret from the stand-in: identities, trusts and roles of the cloud decide, nothing else."""

from types import SimpleNamespace

import pytest
import stand_in_example as example
from standin import arm, catalogue, cloud, data_plane, faults, manager, outputs
from standin.types import protection

CLUSTER = "azure-native:containerservice:ManagedCluster"
IDENTITY = example.rid("Microsoft.ManagedIdentity/userAssignedIdentities", "id-shop")
VAULT = example.rid("Microsoft.KeyVault/vaults", "kv-shop")
SECRET = f"{VAULT}/secrets/token"
ADDRESS = "10.0.1.77"
RELAY = "system:serviceaccount:slipway-system:token-relay"
LOGIN = f"/{arm.TENANT}/oauth2/v2.0/token"
METADATA = f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={data_plane.VAULT_RESOURCE}"


def create(operations, made):
    kind = catalogue.by_token(f"azure-native:{made.token}")
    place = {"location": example.REGION} if kind.is_top_level and "resourceGroupName" in made.inputs else {}
    return operations.create(kind, {**place, **made.inputs})


@pytest.fixture
def azure(tmp_path):
    """The example's cloud with a machine at ADDRESS and a trusted ServiceAccount, both of one identity."""
    known = cloud.Cloud(tmp_path / "cloud.json")
    operations = manager.Manager(known, faults.Faults(None, known))
    for made in example.BASE:
        create(operations, made)
    create(operations, example.card("nic-own", address=ADDRESS))
    identity = {"type": "UserAssigned", "userAssignedIdentities": [IDENTITY]}
    create(operations, example.machine("vm-own", "nic-own", identity=identity))
    cluster = create(operations, example.cluster("aks-own", oidcIssuerProfile={"enabled": True}))
    issuer = outputs.of(known, catalogue.by_token(CLUSTER), cluster)["oidcIssuerProfile"]["issuerURL"]
    credential = example.credential("own", RELAY)
    create(operations, credential._replace(inputs={**credential.inputs, "issuer": issuer}))
    # Any text passes for the token of the ServiceAccount that it names, where the audience is Azure's.
    plane = data_plane.DataPlane(
        tmp_path / "cloud.json",
        account=lambda token, audience: token * audience.startswith("api://"),
        blobs=tmp_path / "blobs",
    )
    ids = protection.identity(known.get(IDENTITY))
    return SimpleNamespace(plane=plane, operations=operations, ids=ids)


def grant(azure, role, scope):
    inputs = {
        "principalId": azure.ids["principalId"],
        "roleDefinitionId": f"{arm.ROOT}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        "scope": scope,
    }
    create(azure.operations, example.assignment(f"{role} {scope}", **inputs))


def ask(azure, method="GET", name="token", vault="kv-shop"):
    """Ask as the machine, and return the status."""
    token = azure.plane.metadata(address=ADDRESS, path=METADATA, marked=True).body["access_token"]
    body = {"value": "new"} if method == "PUT" else None
    host, path = f"{vault}.vault.azure.net", f"/secrets/{name}?api-version=7.4"
    return azure.plane.vault(host=host, method=method, path=path, authorization=f"Bearer {token}", body=body)


def test_without_a_role_nothing_is_read(azure):
    assert ask(azure).status == 403
    stranger = azure.plane.vault(
        host="kv-shop.vault.azure.net", method="GET", path="/secrets/token", authorization=""
    )
    assert stranger.status == 401


@pytest.mark.parametrize("scope", [SECRET, VAULT, VAULT.partition("/providers/")[0], arm.ROOT])
def test_a_role_on_a_secret_or_above_it_reads_and_only_an_officer_writes(azure, scope):
    grant(azure, data_plane.SECRETS_USER, scope)
    assert ask(azure).body["value"] == "not-in-any-output"
    assert ask(azure, "PUT").status == 403
    grant(azure, data_plane.SECRETS_OFFICER, scope)
    assert ask(azure, "PUT").status == 200
    assert ask(azure).body["value"] == "new"


def test_a_role_on_another_secret_or_of_another_kind_is_none(azure):
    another = {**example.SECRET.inputs, "secretName": "token-of-another"}
    create(azure.operations, example.SECRET._replace(inputs=another))
    grant(azure, data_plane.SECRETS_USER, f"{SECRET}-of-another")
    grant(azure, example.NETWORK_CONTRIBUTOR, VAULT)
    assert ask(azure).status == 403


def test_what_is_not_there_is_not_found(azure):
    grant(azure, data_plane.SECRETS_USER, VAULT)
    assert ask(azure, name="nothing").status == 404
    assert ask(azure, vault="kv-nothing").status == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"address": "10.0.1.78"}, 400),
        ({"marked": False}, 400),
        ({"path": METADATA.replace("vault", "management")}, 400),
    ],
)
def test_only_a_machine_has_an_identity_and_only_for_the_vault(azure, change, status):
    request = {"address": ADDRESS, "path": METADATA, "marked": True}
    assert azure.plane.metadata(**{**request, **change}).status == status


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"client_assertion": "system:serviceaccount:slipway-system:default"}, 401),
        ({"client_id": "somebody"}, 400),
        ({"client_assertion_type": "another"}, 400),
        ({"scope": "https://management.azure.com/.default"}, 400),
    ],
)
def test_a_login_needs_a_trusted_account(azure, change, status):
    form = {
        "client_id": azure.ids["clientId"],
        "client_assertion": RELAY,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "scope": f"{data_plane.VAULT_RESOURCE}/.default",
    }
    assert azure.plane.login(path=LOGIN, form={**form, **change}).status == status


def storage_token(azure):
    asked = METADATA.replace(data_plane.VAULT_RESOURCE, data_plane.STORAGE_RESOURCE)
    return azure.plane.metadata(address=ADDRESS, path=asked, marked=True).body["access_token"]


def ask_storage(azure, method="PUT", path="/kept-log/7/A.gz", token=None, body=b"", **headers: str):
    plain = {"x-ms-version": "2023-11-03", "x-ms-date": "now", "x-ms-blob-type": "BlockBlob"}
    known = {**plain, "authorization": f"Bearer {token or storage_token(azure)}", **headers}
    host = "stlogs.blob.core.windows.net"
    return azure.plane.blob(host=host, method=method, path=path, headers=known, body=body)


def test_a_machine_writes_blobs_of_the_container_that_its_role_is_for_and_no_other(azure):
    container = example.rid("Microsoft.Storage/storageAccounts", "stlogs", "blobServices/default/containers/kept-log")
    assert ask_storage(azure).status == 403
    grant(azure, data_plane.BLOB_CONTRIBUTOR, container)
    assert ask_storage(azure, body=b"one").status == 201
    assert ask_storage(azure, "GET").body == b"one"
    assert ask_storage(azure, "HEAD").body == b""
    assert ask_storage(azure, path="/free-log/7/A.gz").status == 403
    assert ask_storage(azure, path="/nothing/7/A.gz").headers["x-ms-error-code"] == "ContainerNotFound"
    vaults = azure.plane.metadata(address=ADDRESS, path=METADATA, marked=True).body["access_token"]
    assert ask_storage(azure, token=vaults).status == 401


def test_a_blob_is_whole_and_is_never_overwritten(azure):
    grant(azure, data_plane.BLOB_CONTRIBUTOR, arm.ROOT)
    assert ask_storage(azure, body=b"one", **{"content-md5": "AAAA"}).headers["x-ms-error-code"] == "Md5Mismatch"
    assert ask_storage(azure, "GET").headers["x-ms-error-code"] == "BlobNotFound"
    assert ask_storage(azure, body=b"one").status == 201
    again = ask_storage(azure, body=b"two", **{"if-none-match": "*"})
    assert (again.status, again.headers["x-ms-error-code"]) == (409, "BlobAlreadyExists")
    assert ask_storage(azure, body=b"two").headers["x-ms-error-code"] == "BlobImmutableDueToPolicy"
    assert ask_storage(azure, path="/kept-log/../../../out").status in {400, 404}
    azure.plane.away(is_away=True)
    assert ask_storage(azure, "GET").status == 503
    azure.plane.away(is_away=False)
    assert ask_storage(azure, "GET").body == b"one"

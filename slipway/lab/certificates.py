"""Keys and certificates of one lab: the cluster's, and those of the authority that its internet trusts.

Everything lies in the state folder and nowhere else, keys readable by their owner only; `down` deletes them.
"""

import contextlib
import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

from slipway.lab import instance as instances
from slipway.lab import texts

CLUSTER, ETCD, PUBLIC = "cluster-ca", "etcd-ca", "public-ca"
SERVICE_ACCOUNT_KEY = "service-account"
_LIFETIME_DAYS = 365
_RENEW_BEFORE_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One certificate: file name, signing authority, subject; ``names`` are DNS names and IP addresses it serves.

    ``groups`` become organizations of the subject, which Kubernetes reads as the user's groups.
    Source: Kubernetes documentation, reference/access-authn-authz/authentication, "X.509 client certificates".
    """

    name: str
    authority: str
    common_name: str
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate with its private key, both PEM."""

    certificate: str
    key: str


def cluster_requests() -> tuple[Request, ...]:
    """Return every certificate that the cluster's components need."""
    nodes = ("system:nodes",)
    return (
        Request(
            name="apiserver",
            authority=CLUSTER,
            common_name="kube-apiserver",
            names=(
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "localhost",
                "127.0.0.1",
                instances.NODE_ADDRESS,
                instances.KUBERNETES_SERVICE_ADDRESS,
            ),
        ),
        Request(name="etcd", authority=ETCD, common_name="etcd", names=("127.0.0.1",)),
        Request(name="apiserver-etcd", authority=ETCD, common_name="kube-apiserver"),
        Request(
            name="apiserver-kubelet", authority=CLUSTER, common_name="kube-apiserver", groups=("system:masters",)
        ),
        Request(name="admin", authority=CLUSTER, common_name="slipway-lab", groups=("system:masters",)),
        Request(name="controller-manager", authority=CLUSTER, common_name="system:kube-controller-manager"),
        Request(name="scheduler", authority=CLUSTER, common_name="system:kube-scheduler"),
        Request(name="kube-proxy", authority=CLUSTER, common_name="system:kube-proxy"),
        Request(name="kubelet", authority=CLUSTER, common_name=f"system:node:{instances.NODE}", groups=nodes),
        Request(
            name="kubelet-server", authority=CLUSTER, common_name=instances.NODE, names=(instances.NODE_ADDRESS,)
        ),
        Request(name="kube-router", authority=CLUSTER, common_name="slipway:kube-router"),
        Request(name="load-balancer", authority=CLUSTER, common_name="slipway:load-balancer"),
        Request(name="platform", authority=CLUSTER, common_name="slipway:platform"),
    )


def public_requests() -> tuple[Request, ...]:
    """Return the certificates of the lab's internet and of its key vault."""
    return (
        Request(name="internet", authority=PUBLIC, common_name="internet", names=tuple(instances.INTERNET_NAMES)),
        Request(name="vault", authority=PUBLIC, common_name="vault", names=(instances.VAULT_HOST,)),
    )


def ensure(instance: instances.Instance) -> None:
    """Make what is missing or expires within 30 days; certificates whose authority changed are made anew."""
    folder = _folder(instance)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for authority, subject in ((CLUSTER, "slipway lab cluster"), (ETCD, "slipway lab etcd"), (PUBLIC, "Lab Root")):
        if not _is_current(folder / f"{authority}.crt", issuer=None):
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, subject)])
            _write_pair(folder, authority, _sign_authority(name, key), key)
    for request in (*cluster_requests(), *public_requests()):
        if not _is_current(folder / f"{request.name}.crt", issuer=_load(folder, request.authority)[0]):
            certificate, key = _issue(folder, request)
            _write_pair(folder, request.name, certificate, key)
    if not (folder / f"{SERVICE_ACCOUNT_KEY}.key").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        texts.write(folder / f"{SERVICE_ACCOUNT_KEY}.pub", public)
        texts.write(folder / f"{SERVICE_ACCOUNT_KEY}.key", _key_bytes(key), mode=texts.PRIVATE_MODE)


def issue_public(instance: instances.Instance, names: Sequence[str]) -> Pair:
    """Return a new certificate for the DNS ``names``, signed by the authority that the lab's clients trust.

    The key exists only in the returned value. Raises :class:`LabError` when the lab was never up.
    """
    folder = _folder(instance)
    if not (folder / f"{PUBLIC}.key").exists():
        msg = f"the lab {instance.name} has no authority yet ({folder}); run `slipway lab up` first"
        raise instances.LabError(msg)
    request = Request(name="", authority=PUBLIC, common_name=names[0], names=tuple(names))
    certificate, key = _issue(folder, request)
    return Pair(certificate=_certificate_bytes(certificate).decode(), key=_key_bytes(key).decode())


def certificate_path(instance: instances.Instance, name: str) -> Path:
    """Return where the certificate (or public key of the ServiceAccount issuer) called ``name`` lies."""
    return _folder(instance) / (f"{name}.pub" if name == SERVICE_ACCOUNT_KEY else f"{name}.crt")


def key_path(instance: instances.Instance, name: str) -> Path:
    """Return where the private key called ``name`` lies."""
    return _folder(instance) / f"{name}.key"


def _folder(instance: instances.Instance) -> Path:
    return instance.state / "certificates"


def _is_current(path: Path, *, issuer: x509.Certificate | None) -> bool:
    if not path.exists() or not path.with_suffix(".key").exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    limit = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=_RENEW_BEFORE_DAYS)
    key = serialization.load_pem_private_key(path.with_suffix(".key").read_bytes(), password=None)
    if certificate.not_valid_after_utc < limit or certificate.public_key() != key.public_key():
        return False
    if issuer is None:
        return True
    signer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    return signer == x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest


def _load(folder: Path, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
    key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        msg = f"{folder / name}.key is not an elliptic-curve key; run `slipway lab down` and `up` again"
        raise instances.LabError(msg)
    return certificate, key


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=_LIFETIME_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _sign_authority(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _issue(folder: Path, request: Request) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    issuer, issuer_key = _load(folder, request.authority)
    key = ec.generate_private_key(ec.SECP256R1())
    groups = [x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, group) for group in request.groups]
    subject = x509.Name([*groups, x509.NameAttribute(oid.NameOID.COMMON_NAME, request.common_name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(issuer_key.public_key())
    builder = (
        _builder(subject, issuer.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_purposes(request)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    if request.names:
        names = x509.SubjectAlternativeName([_general_name(name) for name in request.names])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256()), key


def _purposes(request: Request) -> list[x509.ObjectIdentifier]:
    if request.authority == ETCD and request.names:  # etcd also dials itself with its serving certificate
        return [oid.ExtendedKeyUsageOID.SERVER_AUTH, oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    return [oid.ExtendedKeyUsageOID.SERVER_AUTH if request.names else oid.ExtendedKeyUsageOID.CLIENT_AUTH]


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


def _write_pair(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    texts.write(folder / f"{name}.key", _key_bytes(key), mode=texts.PRIVATE_MODE)
    texts.write(folder / f"{name}.crt", _certificate_bytes(certificate))


def _certificate_bytes(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

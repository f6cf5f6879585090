# ruff: noqa: INP001, PLR0917 - a script for another computer, not a module; the names of a class of the library
"""Fetch the machine's short-lived token and the mesh's root certificate, by the machine's own identity.

Runs on the machine as root, before the sidecar at each boot and by a timer. First the platform's metadata endpoint
hands out an access token for the machine's identity, then the key vault hands out the secret. Neither is ever
printed, given to another program, or written anywhere but into the token's file.

Source: Azure documentation, how-to-use-vm-token "Get a token using HTTP" and Key Vault REST API 7.4 "Get Secret".
"""

import base64
import binascii
import http.client
import json
import os
import pathlib
import pwd
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, Any

SETTINGS = pathlib.Path("/etc/slipway/token.json")
AUDIENCE = "istio-ca"
TIMEOUT_S = 5
DELAYS_S = (0, 0.5, 1, 2, 4, 8)


class Refused(Exception):  # noqa: N818 - reads as the sentence that it is
    """An answer that gives no token; the text says which and why, and holds nothing of the answer's body."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuse redirects: they would carry the access token to another host."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow none."""


def ask(url: str, headers: dict[str, str]) -> Any:
    """Return the JSON document at ``url``; proxies of the environment are not used."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())
    host = urllib.parse.urlsplit(url).netloc
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - both addresses are Slipway's own settings
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return json.loads(answer.read(1_000_000))
    except urllib.error.HTTPError as error:
        error.close()
        raise Refused(f"{host} answered {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise Refused(f"{host}: {getattr(error, 'reason', error)}") from None
    except ValueError:
        raise Refused(f"{host} answered with something that is not JSON") from None


def fetch(settings: dict[str, str]) -> tuple[str, str]:
    """Return the token and the root certificate (PEM)."""
    if not settings["vault_url"].startswith("https://"):
        raise Refused("vault_url does not begin with https://")
    query = {"api-version": "2018-02-01", "resource": settings["resource"]}
    if settings["client_id"]:
        query["client_id"] = settings["client_id"]
    metadata = f"{settings['metadata_url']}/metadata/identity/oauth2/token?{urllib.parse.urlencode(query)}"
    identity = ask(metadata, {"Metadata": "true"})
    vault = f"{settings['vault_url']}/secrets/{urllib.parse.quote(settings['secret'])}?api-version=7.4"
    secret = ask(vault, {"Authorization": f"Bearer {identity['access_token']}"})
    value = json.loads(secret["value"])
    check(value["token"])
    if "-----BEGIN CERTIFICATE-----" not in value["rootCertificate"]:
        raise Refused("the secret holds no root certificate")
    return value["token"], value["rootCertificate"]


def check(token: str) -> None:
    """Refuse a token that istiod would refuse: of another audience, or out of date."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        audiences, expires = claims["aud"], claims["exp"]
    except (IndexError, KeyError, ValueError, binascii.Error):
        raise Refused("the secret holds no ServiceAccount token") from None
    if AUDIENCE not in audiences:
        raise Refused(f"the token's audience is not {AUDIENCE}")
    if expires <= time.time():
        raise Refused("the token has expired already")


def write(path: pathlib.Path, text: str, *, mode: int, owner: pwd.struct_passwd) -> None:
    """Replace ``path`` at once: readers see the old file or the new one, and it never had a wider mode or owner.

    The sidecar's user owns a folder above the token's: a link in the folder's place is refused, not followed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    temporary = f".{path.name}.{secrets.token_hex(8)}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchown(file.fileno(), owner.pw_uid, owner.pw_gid)
                os.fchmod(file.fileno(), mode)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(temporary, dir_fd=folder)
            raise
    finally:
        os.close(folder)


def say(text: str) -> None:
    """Write one line into the journal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Try a few times, slower each time; exit 1 tells systemd to come back later.

    Only once where the sidecar has a certificate already: it starts with that one, and nobody should wait.
    """
    os.umask(0o022)  # for folders: the sidecar's user may enter them
    settings = json.loads(SETTINGS.read_text(encoding="utf-8"))
    owner = pwd.getpwnam(settings["owner"])
    for delay_s in DELAYS_S[:1] if pathlib.Path(settings["certificate_file"]).exists() else DELAYS_S:
        time.sleep(delay_s)
        try:
            token, root = fetch(settings)
        except Refused as error:
            say(f"no token yet: {error}")
        except (KeyError, TypeError, ValueError) as error:
            say(f"no token yet: an answer of another shape ({type(error).__name__})")
        else:
            write(pathlib.Path(settings["root_file"]), root, mode=0o644, owner=owner)
            write(pathlib.Path(settings["token_file"]), token, mode=0o600, owner=owner)
            say("token and root certificate written")
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())

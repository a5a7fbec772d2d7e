"""Requests to Zenodo's deposit API: signed, tried again where that may help, their refusals in words."""

from contextlib import nullcontext
from typing import NamedTuple

import requests

from prh.errors import InputError
from prh.sources.attempts import ATTEMPTS, Passing, persist
from prh.sources.download import AGENT

WAIT = (30, 600)  # seconds, to connect and for an answer: a large file is read there before it comes
PASSING = (408, 429, 500, 502, 503, 504)


class Site(NamedTuple):
    """A Zenodo by its address, and the token that signs every request to it."""

    base: str
    token: str

    def ask(self, method, address, path=None, checksum=None, **more):
        """The answer; what may pass is tried again. path: a file to send, checksum: what the answer must say of it then.

        Raises `InputError` with what the answer says, and what to do.
        """
        try:
            return persist(lambda: self._ask(method, address, path, checksum, more))
        except Passing as error:
            raise InputError(f"{self.base}: {error}, {ATTEMPTS} times; try later") from None

    def _sign(self, request):
        request.headers.update({"Authorization": f"Bearer {self.token}", "User-Agent": AGENT})
        return request

    def _ask(self, method, address, path, checksum, more):
        with path.open("rb") if path else nullcontext() as body:
            call = {"data": body, "auth": self._sign, "timeout": WAIT, "allow_redirects": False, **more}
            try:
                answer = requests.request(method, address, **call)
                said = answer.json() if answer.content else {}
            except requests.JSONDecodeError:
                said = None
            except requests.RequestException as error:
                raise Passing(str(error) or type(error).__name__) from None
        code = answer.status_code
        if code in PASSING or (code < 300 and said is None):
            raise Passing(f"it answers {code} {answer.reason}", answer.headers)
        if code in (401, 403):
            raise InputError(
                f"{self.base}: refuses ({code}); set ZENODO_TOKEN to a token of this site that may write (deposit:write), and name no draft of others"
            )
        if code == 404 and method == "DELETE":  # by an attempt whose answer was lost
            return said
        if code == 404:
            raise InputError(
                f"{self.base}: no such draft; correct its ID, or begin a new one: TO={self.base}"
            )
        if code >= 300:
            raise InputError(f"{self.base}: it answers {code}: {_reasons(said) or answer.reason}")
        if checksum and said.get("checksum") != checksum:
            raise Passing(f"{path.name} arrived with another MD5")
        return said


def _reasons(said):
    """What an answer says of an error, in one line."""
    fields = [
        f"{error.get('field')}: {error.get('message') or ' '.join(error.get('messages', []))}"
        for error in (said or {}).get("errors", [])
    ]
    return "; ".join(filter(None, [(said or {}).get("message"), *fields]))

"""Raw JSON to and from the API server: plain dictionaries, so that no field of a user's object is lost or refused.

The generated client brings credentials, TLS and connections; its models and methods are not used.
"""

import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from labelplane.errors import Transient

Json = dict[str, Any]
OnResponse = Callable[[str, str], None]

_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)
_MERGE_PATCH = "application/merge-patch+json"


class ApiError(Exception):
    """The API server answered and said no."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.reason = str(body.get("reason") or "")
        self.message = str(body.get("message") or f"HTTP {status}")
        causes = (body.get("details") or {}).get("causes") or ()
        self.causes = frozenset(str(cause.get("reason")) for cause in causes)
        super().__init__(f"{status} {self.reason}")


class Client:
    """One connection pool to one API server.

    Every call raises ApiError when the server refuses, and Transient when it cannot be reached or answers 429 or 5xx.
    """

    def __init__(self, configuration: Configuration, on_response: OnResponse = lambda verb, code: None) -> None:
        self._api = ApiClient(configuration)
        self._api.user_agent = "labelplane"
        self._on_response = on_response

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._api.close()

    @property
    def server(self) -> str:
        return str(self._api.configuration.host).rstrip("/")

    @property
    def tls(self) -> ssl.SSLContext:
        context: ssl.SSLContext = self._api.rest_client.ssl_context
        return context

    async def authorization(self) -> str | None:
        """Value of the Authorization header, read again when the token has been renewed."""
        settings = await self._api.configuration.auth_settings()
        value = (settings.get("BearerToken") or {}).get("value")
        return str(value) if value else None

    async def serves(self, path: str) -> bool:
        """The API server answers this path."""
        try:
            await self.get(path)
        except (ApiError, Transient):
            return False
        return True

    async def get(self, path: str) -> Json:
        return await self._request("GET", path)

    async def list_all(self, path: str, selector: str | None = None) -> Json:
        return await self._request("GET", path, query=[("labelSelector", selector)] if selector else [])

    async def create(self, path: str, body: Json) -> Json:
        return await self._request("POST", path, body=body)

    async def replace(self, path: str, body: Json) -> Json:
        return await self._request("PUT", path, body=body)

    async def merge(self, path: str, patch: Json) -> Json:
        """Merge patch: maps are merged, lists replaced, null removes."""
        return await self._request("PATCH", path, body=patch, content_type=_MERGE_PATCH)

    async def delete(self, path: str, *, uid: str) -> Json:
        """Delete exactly this object; what it owns goes in the background."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", "preconditions": {"uid": uid}}
        return await self._request("DELETE", path, body=body)

    async def _request(
        self,
        verb: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            parts = await self._api.param_serialize(
                verb, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = await self._api.call_api(*parts, _request_timeout=_TIMEOUT)
            text = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._on_response(verb, type(error).__name__)
            raise Transient("ApiUnavailable", f"{verb} {path}: {type(error).__name__}") from error
        self._on_response(verb, str(response.status))
        return _answer(response.status, text, f"{verb} {path}")


def _answer(status: int, text: bytes, request: str) -> Json:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = {"message": "no JSON in the answer"}
    body: Json = parsed if isinstance(parsed, dict) else {}
    if status == 429 or status >= 500:
        raise Transient("ApiUnavailable", f"{request}: HTTP {status}")
    if not 200 <= status < 300:
        raise ApiError(status, body)
    return body


async def load_configuration(environment: Mapping[str, str]) -> Configuration:
    """Credentials: LABELPLANE_KUBECONFIG, else KUBECONFIG, else the pod's ServiceAccount.

    Raises:
        kubernetes.aio.config.ConfigException: there are none.
    """
    configuration = Configuration()
    named = environment.get("LABELPLANE_KUBECONFIG") or environment.get("KUBECONFIG")
    if named:
        await config.load_kube_config(config_file=named, client_configuration=configuration)
    else:
        config.load_incluster_config(client_configuration=configuration)
    configuration.connection_pool_maxsize = 32
    return configuration

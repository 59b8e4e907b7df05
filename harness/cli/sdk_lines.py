"""How the common SDKs are pointed at a server, as data: what to export, and the code that connects.

Rules of this module: a family is told by what a dialect's handshake table says
(path, query, headers, keys), never by the dialect's name; an SDK stands here
only where it was run against a server and speaks what that path speaks. They
were openai 3.52.0 and openai-agents 0.24.0 (Python), openai 7.59.0 and
@openai/agents-realtime 0.20.0 (JavaScript), livekit-plugins-openai 1.8.9,
pipecat-ai 0.0.91, 1.1.0 and 1.14.0, azure-ai-voicelive 1.3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from string import Template

from harness.dialects import Dialect
from harness.dialects.model import DEPLOYMENT


@dataclass(frozen=True)
class Place:
    """Where a dialect is served: `origin` is `http://…`, or `https://…` with TLS.

    `hears` is what a handshake for transcription adds to the query.
    """

    dialect: Dialect
    origin: str
    hears: tuple[tuple[str, str], ...] = ()

    @property
    def tls(self) -> bool:
        return self.origin.startswith("https:")

    @property
    def socket(self) -> str:
        """The origin as a WebSocket is dialled."""
        return f"ws{self.origin.removeprefix('http')}"

    def filled(self, text: str) -> str:
        """A template with this place in it."""
        path = self.dialect.handshake.path
        query = dict(self.dialect.handshake.right_query(DEPLOYMENT))
        more = ", ".join(f'"{name}": "{value}"' for name, value in self.hears)
        return Template(text).substitute(
            origin=self.origin,
            base=self.origin + path.removesuffix("/realtime"),
            socket_base=self.socket + path.removesuffix("/realtime"),
            url=self.socket + path,
            version=query.get("api-version", ""),
            model=DEPLOYMENT,
            more=f", extra_query={{{more}}}" if more else "",
        )


@dataclass(frozen=True)
class SdkLine:
    """The code with which one SDK connects, once the variables of its family are exported.

    `tls`: only to a server with TLS (True) or without (False). `path`: only to
    this one. `hears`: it can also ask for a session of transcription.
    """

    sdk: str
    code: str
    tls: bool | None = None
    path: str = ""
    hears: bool = False

    def fits(self, place: Place) -> bool:
        """Whether it leads to that place."""
        return (
            self.tls in (None, place.tls)
            and self.path in ("", place.dialect.handshake.path)
            and (self.hears or not place.hears)
        )


@dataclass(frozen=True)
class Family:
    """SDKs that read the same variables, and the handshakes they open.

    `query` are the parameters that a right handshake must have, `path` is how
    its path ends, `auth` where its key stands. `older`: the service insists on a
    header that only the older namespaces send.
    """

    variables: tuple[tuple[str, str], ...]
    key: str
    """The variable that holds the key."""
    query: frozenset[str]
    path: str
    auth: str
    lines: tuple[SdkLine, ...]
    older: bool = False

    def fits(self, dialect: Dialect) -> bool:
        """Whether these SDKs open a handshake that the dialect takes."""
        rules = dialect.handshake
        return (
            self.query == {name for name, _ in rules.right_query(DEPLOYMENT)}
            and rules.path.endswith(self.path)
            and self.auth in rules.auth
            and self.older == any(rule.required for rule in rules.headers)
        )


@dataclass(frozen=True)
class Pasted:
    """What can be pasted for one family: variables with their values, the key's, and lines of code by SDK."""

    variables: tuple[tuple[str, str], ...]
    key: str
    lines: tuple[tuple[str, str], ...]


def pasted(place: Place) -> Iterator[Pasted]:
    """What leads the common SDKs to a place; nothing where its handshake is nobody's."""
    for family in FAMILIES:
        lines = [(line.sdk, place.filled(line.code)) for line in family.lines if line.fits(place)]
        if family.fits(place.dialect) and lines:
            variables = tuple((name, place.filled(value)) for name, value in family.variables)
            yield Pasted(variables, family.key, tuple(lines))


_OPENAI_PATH = "/v1/realtime"
_AZURE_PATH = "/openai/v1/realtime"

FAMILIES = (
    Family(
        variables=(("OPENAI_BASE_URL", "$base"),),
        key="OPENAI_API_KEY",
        query=frozenset({"model"}),
        path="/realtime",
        auth="bearer",
        lines=(
            SdkLine("openai", 'AsyncOpenAI().realtime.connect(model="$model"$more)', hears=True),
            # It dials wss whatever the URL says.
            SdkLine(
                "openai-js",
                "new OpenAIRealtimeWS({ model: '$model' }, new OpenAI())  // openai/realtime/ws",
                tls=True,
            ),
            SdkLine("agents", 'RealtimeRunner(agent).run(model_config={"url": "$url?model=$model"})'),
            SdkLine(
                "agents-js",
                "session.connect({ url: '$url?model=$model', apiKey: process.env.OPENAI_API_KEY })",
            ),
            SdkLine("livekit", "openai.realtime.RealtimeModel()", path=_OPENAI_PATH),
            SdkLine(
                "pipecat",
                'OpenAIRealtimeLLMService(base_url="$url", api_key=os.environ["OPENAI_API_KEY"])',
                path=_OPENAI_PATH,
            ),
        ),
    ),
    Family(
        variables=(("OPENAI_BASE_URL", "$base"),),
        key="OPENAI_API_KEY",
        query=frozenset({"model"}),
        path="/realtime",
        auth="bearer",
        older=True,
        lines=(
            SdkLine("openai", 'AsyncOpenAI().beta.realtime.connect(model="$model"$more)', True, hears=True),
            # Of a URL with http it makes wss in this namespace, unless it is told.
            SdkLine(
                "openai",
                'AsyncOpenAI(websocket_base_url="$socket_base").beta.realtime.connect(model="$model"$more)',
                tls=False,
                hears=True,
            ),
            SdkLine(
                "openai-js",
                "new OpenAIRealtimeWS({ model: '$model' }, new OpenAI())  // openai/beta/realtime/ws",
                tls=True,
            ),
            SdkLine(
                "pipecat",
                'OpenAIRealtimeBetaLLMService(base_url="$url", api_key=os.environ["OPENAI_API_KEY"])'
                "  # 0.0.76 to 0.0.91",
            ),
        ),
    ),
    Family(
        # Empty: with a version LiveKit dials the dated path.
        variables=(("AZURE_OPENAI_ENDPOINT", "$origin"), ("OPENAI_API_VERSION", "")),
        key="AZURE_OPENAI_API_KEY",
        query=frozenset({"model"}),
        path=_AZURE_PATH,
        auth="api-key-header",
        lines=(
            SdkLine("livekit", 'openai.realtime.RealtimeModel.with_azure(azure_deployment="$model")'),
            SdkLine(
                "pipecat",
                'AzureRealtimeLLMService(base_url="$url?model=$model", '
                'api_key=os.environ["AZURE_OPENAI_API_KEY"])',
            ),
        ),
    ),
    Family(
        variables=(("AZURE_OPENAI_ENDPOINT", "$origin"), ("OPENAI_API_VERSION", "$version")),
        key="AZURE_OPENAI_API_KEY",
        query=frozenset({"api-version", "deployment"}),
        path="/openai/realtime",
        auth="api-key-header",
        lines=(
            SdkLine(
                "openai", 'AsyncAzureOpenAI().beta.realtime.connect(model="$model"$more)', True, hears=True
            ),
            # Of an endpoint with http it makes wss, unless it is told.
            SdkLine(
                "openai",
                'AsyncAzureOpenAI(websocket_base_url="$socket_base")'
                '.beta.realtime.connect(model="$model"$more)',
                tls=False,
                hears=True,
            ),
            SdkLine(
                "openai-js",
                "await OpenAIRealtimeWS.azure(new AzureOpenAI({ deployment: '$model' }))"
                "  // openai/beta/realtime/ws",
                tls=True,
            ),
            SdkLine("livekit", 'openai.realtime.RealtimeModel.with_azure(azure_deployment="$model")'),
            SdkLine(
                "pipecat",
                'AzureRealtimeBetaLLMService(base_url="$url?api-version=$version&deployment=$model", '
                'api_key=os.environ["AZURE_OPENAI_API_KEY"])  # 0.0.76 to 0.0.91',
            ),
        ),
    ),
    Family(
        # The names are those of the package's samples: it reads none itself.
        variables=(("AZURE_VOICELIVE_ENDPOINT", "$origin"),),
        key="AZURE_VOICELIVE_API_KEY",
        query=frozenset({"api-version", "model"}),
        path="/voice-live/realtime",
        auth="api-key-header",
        lines=(
            SdkLine(
                "voicelive",
                'azure.ai.voicelive.aio.connect(endpoint=os.environ["AZURE_VOICELIVE_ENDPOINT"], credential='
                'AzureKeyCredential(os.environ["AZURE_VOICELIVE_API_KEY"]), api_version="$version", '
                'model="$model")',
            ),
        ),
    ),
)
"""In this order they are shown."""

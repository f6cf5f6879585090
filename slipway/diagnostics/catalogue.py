"""Every code of a message that a user can cause. A code is never reused; a retired one stays listed."""

from dataclasses import dataclass

from slipway.diagnostics.model import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One kind of message: ``name`` as ``MESH0106``, a title of a few words, why it matters and what to do."""

    name: str
    title: str
    explanation: str
    level: Level = Level.ERROR


def _code(number: str, title: str, explanation: str, level: Level = Level.ERROR) -> Code:
    return Code(name=f"MESH{number}", title=title, explanation=explanation, level=level)


# 01: syntax of a file
NOT_UTF8 = _code("0101", "not UTF-8", "Files are read as UTF-8 only. Save the file in that encoding.")
BYTE_ORDER_MARK = _code(
    "0102", "byte order mark", "A byte order mark hides before the first key. Save as UTF-8 without it."
)
CONTROL_CHARACTER = _code(
    "0103",
    "control character",
    "Control characters and marks that reorder text make a file read differently from how it looks.",
)
FILE_TOO_LARGE = _code("0104", "file too large", "Files above the size limit are refused before they are read.")
YAML_SYNTAX = _code("0105", "YAML syntax", "The text is not YAML. The place is where the parser gave up.")
DUPLICATE_KEY = _code(
    "0106",
    "duplicate key",
    "Of two equal keys most YAML readers keep the last one in silence, so both are named here.",
)
SECOND_DOCUMENT = _code(
    "0107", "second document", "A file of the declaration is one document; `---` starts a second."
)
TAG = _code(
    "0108", "tag", "Only the tags `!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!map`, `!!seq` are read."
)
ALIAS = _code("0109", "alias", "An alias must name an anchor that stands before it and does not contain it.")
TOO_MANY_NODES = _code(
    "0110", "too many values", "Aliases can make a small file stand for billions of values; expanding stops early."
)
TOO_DEEP = _code("0111", "nested too deeply", "Nothing that Slipway reads is nested that deeply.")
KEY_NOT_TEXT = _code("0112", "key is not text", "Keys are names. Maps and lists as keys are refused.")
MERGE_KEY = _code("0113", "merge key", "`<<` is a habit of YAML 1.1, which YAML 1.2 reads as an ordinary key.")

# 02: keys, names and references
UNKNOWN_KEY = _code(
    "0201", "unknown key", "A key that means nothing is a mistake or a feature that is not there yet."
)
MISSING_KEY = _code("0202", "missing key", "A value without a safe default has to be stated.")
WRONG_TYPE = _code("0203", "wrong type", "A map, a list, a text or a number stands where another is needed.")
TWO_FILES = _code(
    "0204", "defined in two files", "Files under `mesh/` are merged; what two of them define has no winner."
)
NAME = _code(
    "0205",
    "not a name",
    "Names become names of Kubernetes objects: a-z, 0-9 and `-`, a limited number of characters.",
)
UNKNOWN_SERVICE = _code("0206", "unknown service", "Every service that is mentioned has to be declared.")
UNKNOWN_EXTERNAL = _code("0207", "unknown outside host", "Outside hosts are declared under `external`.")
UNKNOWN_MACHINE = _code(
    "0208", "unknown machine", "Machines are declared under `machines` of the environment's file."
)
IDLE_MACHINE = _code(
    "0209", "machine without a service", "A machine's namespace and identity are those of the service that it runs."
)
CALLS_ITSELF = _code("0210", "service calls itself", "Calls inside one service need no declaration of their own.")
UNKNOWN_PORT = _code("0211", "unknown port", "The service that is called has no such port.")
PORT_NOT_CHOSEN = _code("0212", "which port", "A call or a route means one port; several or none of them fit.")
UNKNOWN_EXCEPTION = _code(
    "0213", "unknown name in a phase", "Exceptions of a phase name a declared service or a declared namespace."
)
UNKNOWN_HOST_NAME = _code(
    "0214", "unknown logical name", "Under `hosts` stand logical names from `external` or `ingress`."
)
SHARED_IDENTITY = _code(
    "0215",
    "shared identity",
    "Authorization decides by identity: two services with one identity cannot be told apart.",
)
SHARED_WORKLOAD = _code(
    "0216",
    "shared workload",
    "A pod that two services select would get the policies of both, each refusing the other's.",
)
SHARED_MACHINE = _code("0217", "two services on one machine", "A machine has one identity and runs one service.")
NOT_ON_CLUSTER = _code(
    "0218", "workload without pods", "`workload` says how pods are found, and the service runs on machines only."
)
DUPLICATE_HOST = _code("0219", "host declared twice", "One host has one owner, or its traffic could go either way.")
NO_DATABASE_PORT = _code(
    "0220", "database without a port", "A machine with a database runs the service with the `postgres` port."
)
MESH_FILES = _code(
    "0221", "mesh files", "The declaration is `mesh.yaml`, or the files of the folder `mesh`, not both."
)
ENVIRONMENT_FILE = _code("0222", "environment file", "Each environment has a file of its name beside `mesh.yaml`.")
DUPLICATE_ENTRY = _code("0223", "entry twice", "The same name stands twice in a list.")
RESERVED_NAME = _code("0224", "reserved name", "The name has a meaning already, or somebody else's things bear it.")
EMPTY = _code("0225", "nothing listed", "An empty list or map here would mean all or nothing; leave it out instead.")
AMBIGUOUS_EXCEPTION = _code(
    "0226", "service or namespace", "A name in a phase is a service of one namespace and the name of another one."
)
WITHOUT_SIDECAR = _code(
    "0228",
    "caller without a sidecar",
    "It has no identity: it is known by its network, only calls, and the callee takes plaintext from there.",
)

# 03: values
NOT_TEXT = _code(
    "0301",
    "text that is not text",
    "YAML reads `1.29` as a number and older readers `no` as a boolean: quote such text.",
)
NOT_WHOLE = _code("0302", "not a whole number", "Whole numbers are plain decimal digits.")
NOT_NUMBER = _code("0303", "not a number", "Numbers are plain decimal digits, with a point where needed.")
NOT_BOOLEAN = _code("0304", "not a boolean", "Booleans are `true` and `false`.")
NOT_A_CHOICE = _code("0305", "not one of the choices", "Only the listed values mean something here.")
OUT_OF_RANGE = _code("0306", "out of range", "The number lies outside what is possible.")
RESERVED_PORT = _code("0307", "reserved port", "The sidecar itself listens on ports 15000 to 15090.")
DUPLICATE_PORT = _code("0308", "port twice", "Two ports of a service have one number.")
HOST = _code(
    "0309", "not a host name", "Host names are letters, digits, `-` and dots, without scheme, port or spaces."
)
MIXED_SCRIPTS = _code(
    "0310",
    "letters of several scripts",
    "A host name mixes alphabets, so that it may look like another one.",
    Level.WARNING,
)
ADDRESS = _code("0311", "not an IPv4 address", "Addresses are four decimal numbers without leading zeros.")
CIDR = _code("0312", "not an IPv4 network", "Networks are `address/length` with no bit set behind the length.")
REQUEST = _code("0313", "not a request", "Requests are `METHOD /path`; `*` is any method.")
PATH = _code("0314", "not a path", "Paths are exact, or end in `/*`, or are `*`, written as Envoy compares them.")
HTTP_ON_TCP = _code(
    "0315",
    "HTTP on a TCP port",
    "Istio drops a rule with methods or paths on a TCP port, and the workload then refuses every caller.",
)
PREFIX = _code("0316", "not a route prefix", "Routes are prefixes such as `/` or `/api`.")
ADDRESS_TAKEN = _code("0317", "address taken", "Two machines, or a machine and the platform, have one address.")
ADDRESS_OUTSIDE = _code(
    "0318", "address outside its network", "The address does not lie in the network that it needs."
)
NETWORKS_OVERLAP = _code("0319", "networks overlap", "Pods, Services, nodes and machines need networks of their own.")
LABEL = _code("0320", "not a label", "Kubernetes limits the alphabet and the length of label keys and values.")
IDENTIFIER = _code("0321", "not a database name", "Databases and roles are lower-case letters, digits, `_` and `-`.")
FILE_PATH = _code("0322", "not a file path", "Files are named relative to the file that names them.")
DURATION = _code("0323", "not a duration", "Durations are a number with a unit, at least a millisecond.")
NEEDS_HTTP = _code(
    "0324", "needs HTTP", "Timeouts, retries and hashes of requests act on HTTP; a connection has none of them."
)
SETTINGS_CONFLICT = _code(
    "0325", "settings that exclude each other", "Istio would refuse one of the two, or ignore it in silence."
)
REQUEST_NAME = _code("0326", "not a name in a request", "Headers, cookies and query parameters have plain names.")
WEIGHTS = _code(
    "0327",
    "weights",
    "Weights are percentages of every place where the service runs; together they are 100.",
)
DAY = _code("0328", "not a day", "Days are written year, month, day, as `2027-06-30`.")
EXPIRED = _code("0329", "exception has ended", "An exception that was agreed for a time does not stay by itself.")
OUTSIDE_HOST = _code(
    "0330",
    "outside host that cannot be limited",
    "What is not told apart by a name in TLS or HTTP, or by addresses, would open more than was said.",
)
TOKEN = _code("0331", "not what verifies a token", "Tokens are verified by issuer, audience and public keys.")
CLOUD_CONFIG = _code(
    "0332", "not a cloud-config", "cloud-init reads a machine's file as a cloud-config by its first line only."
)

# 04: Kubernetes manifests
NOT_AN_OBJECT = _code("0401", "not an object", "A Kubernetes object has `apiVersion`, `kind` and `metadata.name`.")
METADATA = _code("0402", "metadata", "Metadata is a name, a namespace, labels and annotations, all of them texts.")

# 05: what Kubernetes and Istio objects mean together
OBJECT_FIELD = _code(
    "0501", "field of an object", "A field of a Kubernetes or Istio object has a type or value that it cannot have."
)
OBJECT_VERSION = _code(
    "0502", "version of an object", "The kind is known, its `apiVersion` is none that the cluster would take."
)
OBJECT_TWICE = _code("0503", "object twice", "Two objects of one kind have one name and namespace; one can count.")
SELECTS_NOTHING = _code(
    "0504", "selects nothing", "A policy that selects no workload protects nothing, and what was meant is open."
)

# 06: the declaration and what runs
NOTHING_SELECTED = _code(
    "0601",
    "selector that matches nothing",
    "A policy whose selector matches no pod protects nothing, and the pods that were meant are open.",
)
OTHER_IDENTITY = _code(
    "0602",
    "another ServiceAccount",
    "Callers are known by their ServiceAccount; pods that run as another are refused.",
)
OTHER_SERVICE = _code(
    "0603",
    "another Service",
    "Callers reach a service by its Kubernetes Service, which leads to its pods and no others.",
)
OTHER_PORT = _code(
    "0604",
    "another port of the Service",
    "Rules act on the workload's port as the protocol that Istio takes it for; `appProtocol` says which.",
)
NOT_INJECTED = _code(
    "0605",
    "sidecar of another revision",
    "Pods get the declared sidecar when they start in a namespace with its label.",
    Level.WARNING,
)
NEVER_INJECTED = _code("0606", "never a sidecar", "Without a sidecar there is no identity and nothing is enforced.")
NOT_REGISTERED = _code(
    "0607", "machine not registered", "A machine is in the mesh by its WorkloadEntry.", Level.WARNING
)
OTHER_REGISTRATION = _code(
    "0608", "another WorkloadEntry", "An entry with a service's labels gets its requests, whoever answers there."
)
UNDECLARED_WORKLOAD = _code(
    "0609",
    "workload that is not declared",
    "Everything in a declared namespace is refused what is not declared, also what was forgotten.",
    Level.WARNING,
)
PROXY_USER = _code(
    "0610",
    "application runs as the sidecar's user",
    "What the sidecar's user sends is never captured, so it leaves in plaintext and without any limit.",
)
OTHER_MESH_CONFIG = _code(
    "0611",
    "mesh configuration that contradicts",
    "istiod's own configuration holds for every proxy: what it says otherwise wins over what is declared.",
)
MESH_CONFIG_DIFFERS = _code(
    "0612",
    "mesh configuration that differs",
    "Calls are decided as declared all the same; names, logs, traces or other namespaces may not be as expected.",
    Level.WARNING,
)

# 07: objects written by hand, in stacks/extra
EXTRA_KIND = _code(
    "0701",
    "object that is not admitted",
    "Beside the declaration stand Istio's objects and NetworkPolicies; everything else belongs to its team.",
)
EXTRA_REACH = _code(
    "0702",
    "reaches beyond declared namespaces",
    "Namespaces that nobody declared are never touched, unless an object says `slipway.dev/scope: mesh`.",
)
EXTRA_COLLISION = _code(
    "0703",
    "collides with the declaration",
    "Of two objects that mean the same name, host or workload Istio takes one, and which one is not said.",
)
EXTRA_SELECTOR = _code(
    "0704", "selects no declared service", "A policy whose selector matches nothing protects nothing."
)
GUARDRAIL = _code(
    "0705", "breaks a guardrail", "The rules that stop `pulumi up` hold for every object, whoever wrote it."
)

# 08: what Azure would refuse, or what would be regretted after twenty minutes
AZURE_VALUE = _code("0801", "not a value of Azure's", "Regions, sizes, images, keys and ids have one spelling each.")
AZURE_RANGE = _code(
    "0802",
    "network that Azure refuses",
    "Networks of a cluster overlap with nothing that they are connected to, and hold enough addresses.",
)
AZURE_NAME = _code(
    "0803", "name that Azure refuses", "Names in Azure are short, some of them unique in all of Azure."
)
NO_ZONES = _code("0804", "region without zones", "Nothing can be placed into zones in a region that has none.")
MACHINE_SIZE = _code("0805", "unfit size", "Not every size of machine can do what its role needs.")
VERSIONS_APART = _code("0806", "versions apart", "A version of Istio is made for a few versions of Kubernetes.")
IMAGE_NOT_PINNED = _code("0807", "image without a version", "The same declaration would make different machines.")
OUT_OF_REACH = _code(
    "0808", "out of reach", "Something in the declaration needs a way that the platform does not have."
)
OTHER_PLATFORM = _code(
    "0809", "key of another platform", "A setting of one platform or network of pods means nothing in another."
)


def codes() -> tuple[Code, ...]:
    """Return every code, sorted by name."""
    return tuple(sorted((item for item in globals().values() if isinstance(item, Code)), key=lambda item: item.name))

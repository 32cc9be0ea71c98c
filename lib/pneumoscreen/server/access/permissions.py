"""Which role a request needs: one table for all routes, this project's and MONAI Label's.

What is not listed needs an administrator, so a route that somebody adds is closed until it is entered here. The table
is narrower than MONAI Label's own roles where a request destroys something: a stock annotator may replace an image.
"""

from dataclasses import dataclass
from re import Pattern

from starlette._utils import get_route_path
from starlette.routing import compile_path
from starlette.types import Scope

from .identity import Role

_READ = ("GET", "HEAD")


@dataclass(frozen=True)
class Rule:
    """One entry of the table.

    Attributes:
        methods: HTTP methods it holds for.
        path: as routes write it, without the slash at its end; ``{name}`` is one segment, ``{name:path}`` any rest.
        role: the least role that may ask.
    """

    methods: tuple[str, ...]
    path: str
    role: Role

    def pattern(self) -> Pattern[str]:
        """What a path must match."""
        return compile_path(self.path)[0]


NOT_LISTED = Rule((), "(not listed)", Role.ADMINISTRATOR)

OPEN = ("/health/live", "/health/ready")
"""What anybody may ask: load balancers and orchestrators have no token, and are told a state and nothing else."""

_RULES = (
    # A program that watches the server; its token lies on another machine and opens nothing else.
    Rule(_READ, "/metrics", Role.MONITOR),
    Rule(_READ, "/pneumoscreen/whoami", Role.MONITOR),
    # The descriptions of the interface and what their pages load.
    *(Rule(_READ, path, Role.READER) for path in ("", "/docs", "/openapi.json", "/favicon.ico")),
    Rule(_READ, "/static/{rest:path}", Role.READER),
    Rule(_READ, "/ohif", Role.READER),
    Rule(_READ, "/ohif/{rest:path}", Role.READER),
    # A reader reads, infers, submits and asks for the next case.
    Rule(_READ, "/auth/token/valid", Role.READER),
    Rule(_READ, "/info", Role.READER),
    Rule(("POST",), "/infer/{task}", Role.READER),
    Rule(_READ, "/batch/infer", Role.READER),
    Rule(_READ, "/train", Role.READER),
    Rule(_READ, "/scoring", Role.READER),
    Rule(("POST",), "/activelearning/{strategy}", Role.READER),
    Rule(_READ, "/datastore", Role.READER),
    Rule(_READ, "/datastore/image", Role.READER),
    Rule(_READ, "/datastore/image/info", Role.READER),
    Rule(_READ, "/datastore/label", Role.READER),
    Rule(_READ, "/datastore/label/info", Role.READER),
    Rule(("PUT",), "/datastore/label", Role.READER),
    Rule(("PUT",), "/session", Role.READER),
    Rule((*_READ, "DELETE"), "/session/{id}", Role.READER),
    Rule(_READ, "/pneumoscreen/progress", Role.READER),
    Rule(_READ, "/pneumoscreen/progress/{image:path}", Role.READER),
    Rule(("POST",), "/pneumoscreen/cancel/{job}", Role.READER),
    Rule(_READ, "/pneumoscreen/report/{image:path}", Role.READER),
    Rule(_READ, "/pneumoscreen/screening/{image:path}", Role.READER),
    Rule(_READ, "/pneumoscreen/masks/{image:path}", Role.READER),
    Rule(_READ, "/pneumoscreen/annotations", Role.READER),
    Rule(_READ, "/pneumoscreen/annotations/{rest:path}", Role.READER),
    Rule(("PUT",), "/pneumoscreen/annotations/{case}", Role.READER),
    Rule(_READ, "/pneumoscreen/cases", Role.READER),
    Rule(_READ, "/pneumoscreen/cases/{rest:path}", Role.READER),
    Rule(_READ, "/pneumoscreen/pacs", Role.READER),
    Rule(("POST",), "/pneumoscreen/pacs/look", Role.READER),
    Rule(("POST",), "/pneumoscreen/pacs/find", Role.READER),
    Rule(_READ, "/pneumoscreen/leases", Role.READER),
    Rule((*_READ, "POST", "DELETE"), "/pneumoscreen/leases/{rest:path}", Role.READER),
    Rule(_READ, "/pneumoscreen/models", Role.READER),
    Rule(_READ, "/pneumoscreen/models/{rest:path}", Role.READER),
    Rule(_READ, "/proxy/dicom/{rest:path}", Role.READER),
    # A trainer trains, scores, adjudicates, publishes, rolls back, brings images in, takes data sets and weights out,
    # and sees how the model does.
    Rule(("POST", "DELETE"), "/train", Role.TRAINER),
    Rule(("POST",), "/train/{task}", Role.TRAINER),
    Rule(("POST", "DELETE"), "/scoring", Role.TRAINER),
    Rule(("POST",), "/scoring/{method}", Role.TRAINER),
    Rule(("POST",), "/batch/infer/{task}", Role.TRAINER),
    Rule(("DELETE",), "/batch/infer", Role.TRAINER),
    Rule(("POST",), "/pneumoscreen/annotations/{case}/adjudicate", Role.TRAINER),
    Rule(("POST",), "/pneumoscreen/models/{name}/publish", Role.TRAINER),
    Rule(("POST",), "/pneumoscreen/models/{name}/rollback", Role.TRAINER),
    Rule(_READ, "/model/{name}", Role.TRAINER),
    Rule(_READ, "/model/info/{name}", Role.TRAINER),
    # Stock clients send images to the address without a name.
    Rule(("PUT",), "/datastore", Role.TRAINER),
    Rule(("PUT",), "/datastore/image", Role.TRAINER),
    Rule(("PUT",), "/datastore/image/info", Role.TRAINER),
    Rule(("PUT",), "/datastore/label/info", Role.TRAINER),
    Rule(("PUT",), "/datastore/updatelabelinfo", Role.TRAINER),
    Rule(_READ, "/datastore/dataset", Role.TRAINER),
    # What all readers said together: a reader who has still to read must not see it.
    Rule(_READ, "/pneumoscreen/monitoring", Role.TRAINER),
    Rule(_READ, "/pneumoscreen/monitoring.json", Role.TRAINER),
    # An administrator's, listed so that log and figures name them.
    *(Rule(("DELETE",), path, Role.ADMINISTRATOR) for path in ("/datastore", "/datastore/image", "/datastore/label")),
    *(Rule(_READ, path, Role.ADMINISTRATOR) for path in ("/logs", "/logs/gpu")),
)
_COMPILED = tuple((rule, rule.pattern()) for rule in _RULES)

_LOGINS = (("GET", "/auth"), ("POST", "/auth/token"))


def rule_for(method: str, path: str, prefix: str = "") -> Rule:
    """The rule of a request.

    Args:
        method: HTTP method.
        path: decoded path, as the router sees it.
        prefix: what stands before all paths of the interface (``MONAI_LABEL_API_STR``).
    """
    path = _without(path, prefix)
    for rule, pattern in _COMPILED:
        if method in rule.methods and pattern.fullmatch(path):
            return rule
    return NOT_LISTED


def is_login(method: str, path: str, prefix: str = "") -> bool:
    """Whether it is one of the two requests by which MONAI Label's clients get a token from the realm."""
    return (method, _without(path, prefix)) in _LOGINS


def is_open(method: str, path: str, prefix: str = "") -> bool:
    """Whether a request needs nobody to say who they are."""
    return method in _READ and _without(path, prefix) in OPEN


def is_alive_question(path: str, prefix: str = "") -> bool:
    """Whether it asks only that the server answers at all, whatever else is wrong with it."""
    return _without(path, prefix) == OPEN[0]


def path_of(scope: Scope) -> str:
    """The path of a request below the prefix of a proxy: what the router goes by."""
    return str(get_route_path(scope))


def route_of(scope: Scope, prefix: str = "") -> str:
    """The route of a request, without what its client chose: a path may hold a patient's name."""
    path = path_of(scope)
    return (
        _without(path, prefix) if is_open("GET", path, prefix) else rule_for(scope["method"], path, prefix).path or "/"
    )


def _without(path: str, prefix: str) -> str:
    # The router sends a path without its last slash on to the one with it, or the other way round.
    return path.removeprefix(prefix).rstrip("/")

"""What a pod asks for where nobody says it: from the stored bytes that it reads, in coarse steps, so that a little more data is no other pod.

    bytes a pod reads   requests        limit
    <= 1 MiB             50m  128Mi     512Mi
    <= 16 MiB           100m  256Mi       1Gi
    <= 256 MiB          500m  512Mi       1Gi
    above               500m    1Gi       1Gi

Measured with twelve functions (ADR 0029): sixteen times the data take about twice the memory, up to a bound that the limit sets; what is beyond it goes to disk.
Votes take room, too: above twelve functions the bytes count as many times more as there are functions.
"""

from labeljob.contract.function_set import FunctionSet
from labelplane.api.quantities import amount
from labelplane.api.runtime import Resources, Runtime

FUNCTIONS = 12  # that were measured
MOST_BYTES = (1 << 20, 16 << 20, 256 << 20)  # of each step but the last
CPU = ("50m", "100m", "500m", "500m")
MEMORY = ("128Mi", "256Mi", "512Mi", "1Gi")
LIMIT = ("512Mi", "1Gi", "1Gi", "1Gi")
LOOKING = Resources(requests={"cpu": "50m", "memory": "128Mi"}, limits={"memory": "1Gi"})  # for a check or a resolve, whatever the data is
UNKNOWN = Resources(requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "1Gi"})  # for what was pinned before there were sizes


def sized(stored: int | None, pods: int, functions: FunctionSet | None) -> Resources | None:
    """What each of so many pods asks for that share a dataset of `stored` bytes; None when nobody knows how many there are.

    Functions in `python` run in a process apart, with libraries of its own: a step more of memory, and the whole limit. A set that is gone counts as a small one.
    """
    if stored is None:
        return None
    voting = functions.enabled_functions if functions is not None else ()
    step = sum(stored / pods * max(1.0, len(voting) / FUNCTIONS) > most for most in MOST_BYTES)
    apart = any(one.python for one in voting)
    memory = min(step + apart, len(MEMORY) - 1)
    return Resources(requests={"cpu": CPU[step], "memory": MEMORY[memory]}, limits={"memory": LIMIT[memory]})


def with_resources(runtime: Runtime, wanted: Resources | None) -> Runtime:
    """The runtime with `wanted` where it says nothing. What it says stands, and moves the rest: no request of ours is above a limit that was set, nor a limit of ours
    below a request that was set. Where both were set, the API server says what is wrong with them.
    """
    given, ours = runtime.resources or Resources(), wanted or UNKNOWN
    asked, most = given.requests or {}, given.limits or {}
    requests, limits = (ours.requests or {}) | asked, (ours.limits or {}) | most
    for name in (requests.keys() & limits.keys()) - (asked.keys() & most.keys()):
        if amount(requests[name]) > amount(limits[name]):
            if name in asked:
                limits[name] = requests[name]
            else:
                requests[name] = limits[name]
    return runtime.model_copy(update={"resources": Resources(requests=requests, limits=limits)})

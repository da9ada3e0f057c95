"""What a soak tells: a line for each round, and everything that helps when something is wrong."""

import time

from conformance.soak.world import World

LOG_LINES = 120
EVENTS = 30
KINDS = 15


def line(world: World, text: str) -> None:
    """One line now."""
    print(f"{time.monotonic() - world.began:8.1f} s  {text}", flush=True)


def summary(world: World) -> str:
    """How much was done."""
    counts = "\n".join(f"{count:10}  {what}" for what, count in sorted(world.counts.items()))
    return f"{counts}\n\n{times(world)}"


def times(world: World) -> str:
    """The kinds of statements that took longest in all: how many, mean and longest in seconds."""
    kinds: dict[str, list[float]] = {}
    for diary in world.diaries.values():
        for kind, (count, whole, longest) in diary.took.items():
            found = kinds.setdefault(kind, [0, 0.0, 0.0])
            found[:] = found[0] + count, found[1] + whole, max(found[2], longest)
    most = sorted(kinds.items(), key=lambda item: -item[1][1])[:KINDS]
    return "\n".join(
        f"{count:10}  {whole / count:7.3f} {longest:7.3f}  {kind}"
        for kind, (count, whole, longest) in most
    )


def failure(world: World) -> str:
    """Seed, violations, what befell the server, the sessions concerned, the server's last words."""
    concerned = {text.partition(":")[0] for text in world.violations}
    parts = [f"seed {world.seed}, round {world.counts['rounds']}, life {world.life}"]
    parts += world.violations
    parts += ["", "what befell the server:", *world.events[-EVENTS:]]
    for name, diary in sorted(world.diaries.items()):
        if name in concerned:
            parts += ["", f"{name} said:", *diary.lines]
    others = sorted(set(world.diaries) - concerned)
    parts += ["", "the others' last words:"]
    parts += [
        f"{name:12} {last}" for name in others for last in list(world.diaries[name].lines)[-2:]
    ]
    parts += ["", "the server's log:", "".join(world.server.errors[-LOG_LINES:])]
    return "\n".join(parts)

"""BIND 9: an authoritative server that takes signed updates of TXT and addresses. It listens on 127.0.0.1 only."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.servers.ports import LOOPBACK, free_port
from tests.servers.processes import program, running
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET, NameServer, answers, zone_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


def key_block(name: str = KEY_NAME, algorithm: str = ALGORITHM) -> str:
    """Give the key as BIND's own tools write it."""
    return f'key "{name}" {{\n\talgorithm {algorithm};\n\tsecret "{SECRET}";\n}};\n'


@contextmanager
def bind(directory: Path, zones: Mapping[str, Sequence[str]]) -> Iterator[NameServer]:
    """Run named with these zones and their further records."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    blocks = [
        f'options {{\n\tdirectory "{directory}"; pid-file none; session-keyfile none;\n',
        f"\tlisten-on port {port} {{ {LOOPBACK}; }}; listen-on-v6 {{ none; }};\n",
        "\trecursion no; dnssec-validation no; notify no;\n};\n",
        "controls {};\n",
        key_block(),
    ]
    for zone, records in zones.items():
        (directory / f"{zone}.zone").write_text(zone_text(zone, records))
        blocks.append(
            f'zone "{zone}" {{\n\ttype primary; file "{directory}/{zone}.zone";\n'
            f"\tupdate-policy {{ grant {KEY_NAME} zonesub TXT A AAAA; }};\n}};\n"
        )
    config = directory / "named.conf"
    config.write_text("".join(blocks))
    first = next(iter(zones))
    with running(
        [program("named"), "-g", "-n", "1", "-c", str(config)],
        log=directory / "named.log",
        ready=lambda: answers(LOOPBACK, port, first),
    ):
        yield NameServer(LOOPBACK, port, directory)

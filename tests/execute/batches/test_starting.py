"""Which command a person is told to start a server with."""

from __future__ import annotations

import pytest

from reconciler.execute.batches.setbacks.starting import how_to_start
from reconciler.model.desired import ApacheTarget, FilesTarget, NginxTarget, Reload


@pytest.mark.parametrize(
    ("reload", "told"),
    [
        (("systemctl", "reload", "apache2"), "start it (`systemctl start apache2`)"),
        (("/usr/bin/systemctl", "reload-or-restart", "a.service"), "start it (`/usr/bin/systemctl start a.service`)"),
        (("service", "apache2", "reload"), "start it (`service apache2 start`)"),
        (("apachectl", "-k", "graceful"), "start it (`apachectl -k start`)"),
        (("systemctl", "kill", "-s", "USR1", "apache2"), "start it (as by `apachectl start`)"),
        (("/bin/sh", "-c", "kill -USR1 1"), "start it (as by `apachectl start`)"),
        (None, "start it (as by `apachectl start`)"),
    ],
)
def test_the_reload_command_tells_how_else_the_type_does(reload: tuple[str, ...] | None, told: str) -> None:
    assert how_to_start(ApacheTarget(name="web", reload=Reload(reload))) == told


def test_what_is_known_of_a_type_alone() -> None:
    assert how_to_start(NginxTarget(name="web", reload=Reload(("nginx", "-s", "reload")))) == "start it (as by `nginx`)"
    assert how_to_start(FilesTarget(name="own", reload=Reload(("/opt/own", "reload")))) == "start it"

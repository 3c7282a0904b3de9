"""nginx configuration: what each layout writes, and what is refused for one site alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import NginxTarget, Template, Verify
from reconciler.model.names import Part, Switch
from reconciler.targets.nginx import HTTP01_DIRECTORY, Nginx, paste_lines
from reconciler.targets.probing import MOST, server_names
from tests.targets.making import RENDERER, ScriptedHands, one, refusal, seat, templated, vhost

DIRECTORY = "/etc/nginx/certwright.d"


def text_of(spec: NginxTarget, **changes: object) -> str:
    rendered = Nginx(spec, RENDERER).render([seat(spec, **changes)])  # type: ignore[arg-type]
    text = one(rendered).text
    assert text is not None
    return text


def directives(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_a_snippet_holds_the_two_certificate_lines_only() -> None:
    spec = NginxTarget(name="web")
    artifact = one(Nginx(spec, RENDERER).render([seat(spec)]))
    assert (artifact.path, artifact.part, artifact.mode) == (f"{DIRECTORY}/a.conf", Part.CONFIG, 0o644)
    assert directives(artifact.text or "") == [
        "ssl_certificate /state/live/a/fullchain.pem;",
        "ssl_certificate_key /state/live/a/privkey.pem;",
    ]


def test_the_shared_file_of_a_snippet_target_stands_while_there_are_sites() -> None:
    spec = NginxTarget(name="web")
    target = Nginx(spec, RENDERER)
    assert target.shared([]) == ()
    (artifact,) = target.shared([seat(spec)])
    assert artifact.path == f"{DIRECTORY}/http-01.conf"
    assert f"root {HTTP01_DIRECTORY};" in directives(artifact.text or "")
    assert Nginx(vhost(DIRECTORY), RENDERER).shared([seat(spec)]) == ()


def test_live_writes_nothing() -> None:
    spec = NginxTarget(name="web", layout="live")
    target = Nginx(spec, RENDERER)
    assert target.render([seat(spec)]) == {"a": ()}
    assert target.shared([seat(spec)]) == ()


@pytest.mark.parametrize(
    ("verify", "values", "lines"),
    [
        (Verify(ports=(443,)), {}, ["listen *:443 ssl;", "listen [::]:443 ssl;"]),
        (Verify(), {}, ["listen *:443 ssl;", "listen [::]:443 ssl;"]),
        (Verify("192.0.2.1", (443, 8443)), {}, ["listen 192.0.2.1:443 ssl;", "listen 192.0.2.1:8443 ssl;"]),
        (Verify("2001:db8::1", (443,)), {}, ["listen [2001:db8::1]:443 ssl;"]),
        (Verify("www.example", (443,)), {}, ["listen *:443 ssl;", "listen [::]:443 ssl;"]),
        (Verify(ports=(443,)), {"listen": ("127.0.0.1:8443",)}, ["listen 127.0.0.1:8443 ssl;"]),
        (Verify(ports=(443,)), {"listen": "[::1]:8443"}, ["listen [::1]:8443 ssl;"]),
        (Verify(ports=(443,)), {"listen": ("*:1", "*:1")}, ["listen *:1 ssl;"]),
    ],
)
def test_where_a_server_block_listens(verify: Verify, values: dict[str, str], lines: list[str]) -> None:
    found = directives(text_of(vhost(DIRECTORY, verify=verify), values=values))
    assert [line for line in found if line.startswith("listen")] == lines


@pytest.mark.parametrize(
    "entry",
    ["443", ":443", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:65536", "::1:443", "[192.0.2.1]:443", "[::1%lo]:443",
              "host:443", "*:443 default_server", "*:\uff14\uff14\uff13", "*:443;\nuser root"],
)  # fmt: skip
def test_a_listen_that_is_no_address_and_port_is_refused(entry: str) -> None:
    spec = vhost(DIRECTORY, values={"listen": (entry,)})
    found = refusal(Nginx(spec, RENDERER).render([seat(spec)]))
    assert found.reason == "InvalidManifest"
    assert "values.listen" in found.message


def test_names_are_listed_and_addresses_are_bracketed() -> None:
    spec = vhost(DIRECTORY)
    rendered = Nginx(spec, RENDERER).render([seat(spec, "a", "a.example", "*.a.example", "192.0.2.1", "::1")])
    assert "server_name a.example *.a.example 192.0.2.1 [::1];" in directives(one(rendered).text or "")


def test_only_the_default_site_is_the_default_server() -> None:
    spec = vhost(DIRECTORY, default_site="b")
    rendered = Nginx(spec, RENDERER).render([seat(spec, "a"), seat(spec, "b")])
    assert "default_server" not in (one(rendered, "a").text or "")
    assert "listen *:443 ssl default_server;" in directives(one(rendered, "b").text or "")


def test_port_80_is_taken_only_where_the_built_in_webroot_is_used() -> None:
    spec = vhost(DIRECTORY)
    assert ":80;" not in text_of(spec)
    found = directives(text_of(spec, webroot="/run/certwright/http-01"))
    assert "listen *:80;" in found
    assert "return 301 https://$host$request_uri;" in found


def test_a_redirect_names_another_port() -> None:
    spec = vhost(DIRECTORY, 8443)
    assert "return 301 https://$host:8443$request_uri;" in directives(text_of(spec, webroot="/run/x"))


def test_extra_files_take_the_place_of_the_answer_204() -> None:
    assert "return 204;" in directives(text_of(vhost(DIRECTORY)))
    found = directives(text_of(vhost(DIRECTORY, values={"extra": ("/etc/nginx/a.inc", "/etc/nginx/b.inc")})))
    assert [line for line in found if line.startswith("include")] == [
        "include /etc/nginx/a.inc;",
        "include /etc/nginx/b.inc;",
    ]
    assert "return 204;" not in found


@pytest.mark.parametrize("extra", ["location / { return 200; }", "a.inc", "/etc/../x", "/etc/*", "/etc/nginx/", "", 7])
def test_extra_is_a_path_and_never_text(extra: str | int) -> None:
    spec = vhost(DIRECTORY, values={"extra": extra})
    assert "values.extra" in refusal(Nginx(spec, RENDERER).render([seat(spec)])).message


def test_a_template_of_the_users_sees_the_documented_variables() -> None:
    spec = templated(
        "{{ site }} {{ hostnames[0] }} {{ key }} {{ certificate }} {{ chain }} {{ fullchain }} {{ values.one }} "
        "{{ values.two }} {{ target }} {{ address }} {{ ports[0] }} {{ listen[0].port }} {{ http_listen[0].port }} "
        "{{ https_port }} {{ default }}"
    )
    rendered = Nginx(spec, RENDERER).render([seat(spec, values={"one": 1, "two": "x"})])
    live = "/state/live/a"
    assert one(rendered).text == (
        f"a a.example {live}/privkey.pem {live}/cert.pem {live}/chain.pem {live}/fullchain.pem 1 x "
        "web 127.0.0.1 443 443 80 443 False"
    )


def test_a_sites_values_come_over_the_targets() -> None:
    spec = vhost(DIRECTORY, template=Template("t", "{{ values.x }}{{ values.y }}"), values={"x": "target", "y": "-y"})
    rendered = Nginx(spec, RENDERER).render([seat(spec, "a"), seat(spec, "b", values={"x": "site"})])
    assert (one(rendered, "a").text, one(rendered, "b").text) == ("target-y", "site-y")


def test_one_sites_broken_template_does_not_stop_the_others() -> None:
    spec = templated("{% if site == 'b' %}{{ values.missing }}{% elif site == 'c' %}  \n{% else %}good{% endif %}")
    rendered = Nginx(spec, RENDERER).render([seat(spec, name) for name in "abc"])
    assert one(rendered, "a").text == "good"
    assert "missing" in refusal(rendered, "b").message
    assert "renders to nothing" in refusal(rendered, "c").message


def test_a_site_named_as_the_shared_file_is_refused() -> None:
    spec = NginxTarget(name="web")
    found = refusal(Nginx(spec, RENDERER).render([seat(spec, "http-01")]), "http-01")
    assert (found.reason, "rename the site" in found.message) == ("PathRefused", True)


def test_a_state_directory_with_a_blank_is_a_refusal() -> None:
    spec = NginxTarget(name="web")
    assert "' '" in refusal(Nginx(spec, RENDERER).render([seat(spec, live="/my state/live")])).message


def test_what_the_server_says_names_our_files() -> None:
    output = (
        f'nginx: [warn] conflicting server name "x" in {DIRECTORY}/b.conf:1, ignored\n'
        f'nginx: [emerg] unknown directive "foo" in {DIRECTORY}/a.conf:3\n'
        "nginx: configuration file /etc/nginx/nginx.conf test failed\n"
    )
    tested = Nginx(vhost(DIRECTORY), RENDERER).test(ScriptedHands(1, output), [f"{DIRECTORY}/{n}.conf" for n in "abc"])
    assert (tested.ok, tested.blamed) == (False, (f"{DIRECTORY}/a.conf",))
    assert "unknown directive" in tested.output


def test_a_certificate_that_the_server_names_blames_its_sites_file() -> None:
    output = 'nginx: [emerg] cannot load certificate "/state/live/a/fullchain.pem": BIO_new_file() failed (SSL: x)\n'
    hands = ScriptedHands(1, output)
    spec = vhost(DIRECTORY)
    assert Nginx(spec, RENDERER).test(hands, [f"{DIRECTORY}/a.conf"]).blamed == (f"{DIRECTORY}/a.conf",)
    assert Nginx(spec, RENDERER).test(hands, []).blamed == ("/state/live/a/fullchain.pem",)


def test_output_is_cleaned_and_bounded() -> None:
    hands = ScriptedHands(1, "\x1b[31m" + "x" * 5000 + "\n" * 9 + "line\n" * 5000)
    output = Nginx(vhost(DIRECTORY), RENDERER).test(hands, []).output
    assert len(output) <= 1000
    assert "\x1b" not in output


def test_silence_is_told() -> None:
    target = Nginx(vhost(DIRECTORY), RENDERER)
    assert "it was killed" in target.test(ScriptedHands(-1), []).output
    assert "exit code 3" in target.activate(ScriptedHands(3), []).output


@pytest.mark.parametrize(
    ("hostnames", "names"),
    [
        (("a.example", "b.example"), ["a.example", "b.example"]),
        (("*.a.example", "192.0.2.1", "b.example"), ["b.example", "certwright-probe.a.example"]),
        (("*.a.example",), ["certwright-probe.a.example"]),
        (("192.0.2.1", "::1"), [""]),
    ],
)
def test_probes_ask_for_the_names_of_the_site_at_each_port(hostnames: tuple[str, ...], names: list[str]) -> None:
    spec = vhost(DIRECTORY, 443, 8443)
    probes = Nginx(spec, RENDERER).probes(seat(spec, "a", *hostnames))
    assert [(probe.address, probe.port, probe.sni) for probe in probes] == [
        ("127.0.0.1", port, name) for name in names for port in (443, 8443)
    ]


@given(st.lists(st.integers(0, 10_000).map(lambda number: f"n{number}.example"), min_size=1, max_size=100))
def test_of_many_names_a_bounded_sample_is_asked_for_that_does_not_change(hostnames: list[str]) -> None:
    asked = server_names(hostnames)
    assert asked[0] == hostnames[0]
    assert len(asked) == len(set(asked)) == min(MOST, len(set(hostnames)))
    assert set(asked) <= set(hostnames)
    assert set(server_names([hostnames[0], *reversed(hostnames)])) == set(asked)


def test_nothing_is_probed_where_nothing_is_verified() -> None:
    spec = vhost(DIRECTORY, verify=Verify(ports=(443,), mode=Switch.OFF))
    assert Nginx(spec, RENDERER).probes(seat(spec)) == ()


def test_what_the_user_pastes() -> None:
    assert f"include {DIRECTORY}/SITE.conf;" in paste_lines(NginxTarget(name="web"))
    assert f"include {DIRECTORY}/http-01.conf;" in paste_lines(NginxTarget(name="web"))
    assert f"include {DIRECTORY}/*.conf;" in paste_lines(vhost(DIRECTORY))
    live = paste_lines(NginxTarget(name="web", layout="live"), "/var/lib/certwright/live")
    assert "ssl_certificate /var/lib/certwright/live/SITE/fullchain.pem;" in live

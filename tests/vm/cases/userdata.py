"""What a launch may say, and what comes of it."""

from __future__ import annotations

from ..checks import GATE, HEALTHY, LOGIN_PROMPT, NOTE, file, host_name, logs_in, no_file, nothing, ran, says
from ..image import Image
from ..lab import Launch
from ..fixture import Boot, Case, Rule, Fixture

SCRIPT = f"""\
#!/bin/sh
{NOTE}script
id -un >/var/lib/who
"""

CLOUD_CONFIG = f"""\
#cloud-config
fqdn: web.example.com
prefer_fqdn_over_hostname: false
groups: [acme]
users:
  - default
  - name: ada
    gecos: Ada
    groups: [acme]
    shell: /bin/sh
    lock_passwd: true
write_files:
  - path: /etc/acme/site.conf
    owner: ada:acme
    permissions: "0640"
    defer: true
    content: |
      name = acme
bootcmd:
  - "{NOTE}bootcmd"
runcmd:
  - "{NOTE}runcmd"
"""

# One generic image for every customer: the launch only names a bucket.
SITE = """\
content:
  - source: "s3://{{ params.bucket }}/site/"
    dest: /var/www/html
    owner: www-data:www-data
    delete: true
    endpoint: ENDPOINT
    on_change: ["cat /proc/sys/kernel/random/boot_id >>/var/lib/ran-reload"]
"""
OBJECTS = {
    "acme-site/site/index.html": "<h1>acme</h1>\n",
    "acme-site/site/css/site.css": "h1 { color: red }\n",
    "acme-site/other": "not for the web\n",
}
SITE_IS_THERE = (
    file("/var/www/html/index.html", "<h1>acme</h1>\n"),
    file("/var/www/html/css/site.css", "h1 { color: red }\n"),
    no_file("/var/www/html/other"),
    says("the files are the web server's", "stat -c %U:%G /var/www/html/index.html", "www-data:www-data"),
)

ELECTION = """\
election:
  leader: {units: [primary.service], run: ["cat /proc/sys/kernel/random/boot_id >>/var/lib/ran-leader"]}
  follower: {units: [replica.service]}
"""
UNIT = """\
[Service]
Type=oneshot
RemainAfterExit=yes
EnvironmentFile=/run/firstlight/role.env
ExecStart=/bin/sh -c '{}'
"""
ROLE_UNITS = {
    f"/etc/systemd/system/{name}.service": UNIT.format("echo $FIRSTLIGHT_ROLE $FIRSTLIGHT_LAUNCH_INDEX >/var/lib/role")
    for name in ("primary", "replica")
}


def roles_are_right() -> Rule:
    """The first of a launch leads, the others follow."""

    def wanted(fixture: Fixture) -> str | None:
        index = fixture.launch.index
        role, unit, other = ("leader", "primary", "replica") if index == 0 else ("follower", "replica", "primary")
        found = fixture.run("cat", "/var/lib/role").text
        leads = fixture.run("test", "-e", "/var/lib/ran-leader").code == 0
        active = [name for name in (unit, other) if fixture.run("systemctl", "is-active", name).text == "active"]
        right = found == f"{role} {index}" and active == [unit] and leads == (index == 0)
        return None if right else f"instance {index}: role {found!r}, units {active}, leader's command ran: {leads}"

    return nothing("the first instance leads and the others follow", wanted)


CASES = (
    Case(
        "script",
        "user data that is a script",
        (
            Boot(
                Launch(SCRIPT),
                (GATE, host_name("first"), logs_in(), ran("script", 1), file("/var/lib/who", "root"), *HEALTHY),
            ),
        ),
    ),
    Case(
        "cloud-config",
        "accounts, groups, files and commands from a cloud-config",
        (
            Boot(
                Launch(CLOUD_CONFIG),
                (
                    GATE,
                    host_name("web"),
                    logs_in(),
                    says("ada is there, in her group", "id -nG ada", "ada acme"),
                    file("/etc/acme/site.conf", "name = acme\n"),
                    says("the file is hers", "stat -c %U:%G:%a /etc/acme/site.conf", "ada:acme:640"),
                    ran("bootcmd", 1),
                    ran("runcmd", 1),
                    *HEALTHY,
                ),
            ),
        ),
    ),
    Case(
        "content",
        "an image that fetches what its parameters name, with the credentials of its role",
        (
            Boot(Launch("bucket=acme-site", role=True), (GATE, logs_in(), *SITE_IS_THERE, ran("reload", 1), *HEALTHY)),
            Boot(Launch("bucket=acme-site", role=True), (GATE, *SITE_IS_THERE, ran("reload", 1), *HEALTHY)),
        ),
        Image(config=SITE),
        OBJECTS,
    ),
    Case(
        "no-user-data",
        "a launch without user data",
        (Boot(Launch(), (GATE, host_name("first"), logs_in(), LOGIN_PROMPT, *HEALTHY)),),
    ),
    Case(
        "launch-of-four",
        "four instances of one launch, with one bucket and a role each",
        (
            Boot(
                Launch("bucket=acme-site", name="node", role=True),
                (logs_in(), roles_are_right(), *SITE_IS_THERE, *HEALTHY),
            ),
        ),
        Image(config=SITE + ELECTION, files=ROLE_UNITS),
        OBJECTS,
        instances=4,
    ),
)

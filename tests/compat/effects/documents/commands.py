"""bootcmd, runcmd, scripts, boothooks: what is run, in which order, how often, and with what."""

from launch import INSTANCE, OTHER_INSTANCE, case, config, multipart

CONFIG, SCRIPT, HOOK = "text/cloud-config", "text/x-shellscript", "text/cloud-boothook"
SAYS = "#!/bin/sh\necho %s >>/srv/order\n"
EVERYTHING = multipart(
    (CONFIG, "#cloud-config\nbootcmd: [echo bootcmd >>/srv/order]\nruncmd: [echo runcmd >>/srv/order]\n"
             "write_files: [{path: /srv/written, content: a}]\n"),
    (HOOK, "#cloud-boothook\n#!/bin/sh\necho hook $INSTANCE_ID >>/srv/order\n"),
    (SCRIPT, SAYS % "script", "zz.sh"),
    (SCRIPT, SAYS % "second"),
    (SCRIPT + "-per-boot", SAYS % "per-boot", "boot.sh"),
    (SCRIPT + "-per-instance", SAYS % "per-instance", "instance.sh"),
    (SCRIPT + "-per-once", SAYS % "per-once", "once.sh"),
)
# What a script finds. The path that systemd gives to cloud-init has the same directories as ours.
LOOKS = "{ pwd; umask; id; env | sort | grep -v -e ^_= -e ^PATH=; [ -t 0 ] || readlink /proc/self/fd/0; } >>/srv/%s 2>&1"

DOCUMENTS = [
    case("script: plain", SAYS % "script"),
    case("script: another language", "#!/usr/bin/python3\nopen('/srv/python', 'w').write('said')\n"),
    case("script: with carriage returns", (SAYS % "script").replace("\n", "\r\n")),
    case("script: exit 3", "#!/bin/sh\necho before >>/srv/order\nexit 3\n"),
    case("script: an interpreter that is not there", "#!/nosuch/interpreter\n"),
    case("script: two, and the first fails", multipart(
        (SCRIPT, "#!/bin/sh\necho one >>/srv/order\nfalse\n"), (SCRIPT, SAYS % "two"))),
    case("script: leaves something in the background", "#!/bin/sh\n(sleep 1; echo late >>/srv/order) &\necho now >>/srv/order\n"),
    case("script: second boot", SAYS % "script", boots=[{}, {}]),
    case("script: new instance", SAYS % "script", boots=[{"instance": INSTANCE}, {"instance": OTHER_INSTANCE}]),
    case("script: second boot with other user data", SAYS % "script", boots=[{}, {"user_data": SAYS % "edited"}]),
    case("everything in its order", EVERYTHING),
    case("everything: second boot", EVERYTHING, boots=[{}, {}]),
    case("everything: new instance", EVERYTHING, boots=[{"instance": INSTANCE}, {"instance": OTHER_INSTANCE}]),
    config("runcmd: text, list and quotes", """
runcmd:
  - echo "one two" >>/srv/order
  - [sh, -c, 'echo "three $0 four" >>/srv/order', "it's"]
  - [touch, '/srv/with space', '/srv/$HOME']
  - |
    for name in a b; do
      echo $name >>/srv/order
    done
"""),
    config("runcmd: null entries", "runcmd: [null, echo a >>/srv/order, '']"),
    config("runcmd: a number in a list", "runcmd: [[touch, 5], [sleep, 0.1], echo a >>/srv/order]"),
    config("runcmd: false is no command", "runcmd: [echo a >>/srv/order, false]"),
    config("runcmd: text in place of a list", "runcmd: echo a >>/srv/order"),
    config("runcmd: an empty list", "runcmd: []"),
    config("runcmd: null", "runcmd:"),
    config("runcmd: a failing line is passed over", "runcmd: ['false', nosuchcommand, echo a >>/srv/order]"),
    config("runcmd: the last line fails", "runcmd: [echo a >>/srv/order, 'false']"),
    config("runcmd: exit ends it", "runcmd: [echo a >>/srv/order, exit 3, echo b >>/srv/order]"),
    config("runcmd: exit 0 ends it", "runcmd: [exit 0, echo b >>/srv/order]"),
    config("runcmd: cd and variables stay", "runcmd: [cd /srv, name=value, 'echo $name $PWD >>order']"),
    config("runcmd: second boot", "runcmd: [echo a >>/srv/order]", boots=[{}, {}]),
    config("runcmd: new instance", "runcmd: [echo a >>/srv/order]", boots=[
        {"instance": INSTANCE}, {"instance": OTHER_INSTANCE}]),
    config("bootcmd: all forms", """
bootcmd:
  - echo "one two" >>/srv/order
  - [sh, -c, 'echo three $INSTANCE_ID >>/srv/order']
  - [cloud-init-per, once, mark, sh, -c, 'echo once >>/srv/order']
""", boots=[{}, {}]),
    config("bootcmd: one fails", "bootcmd: [echo a >>/srv/order, 'false']\nruncmd: [echo b >>/srv/order]"),
    config("bootcmd: text in place of a list", "bootcmd: echo a >>/srv/order"),
    case("boothook: without an interpreter", "#cloud-boothook\necho hook >>/srv/order\n"),
    case("boothook: fails", multipart((HOOK, "#cloud-boothook\n#!/bin/sh\necho hook >>/srv/order\nexit 1\n"), (SCRIPT, SAYS % "script"))),
    case("surroundings of all that is run", multipart(
        (CONFIG, "#cloud-config\nbootcmd: ['%s']\nruncmd: ['%s']\n" % (LOOKS % "bootcmd", LOOKS % "runcmd")),
        (HOOK, "#cloud-boothook\n#!/bin/sh\n%s\n" % LOOKS % "hook"),
        (SCRIPT, "#!/bin/sh\n%s\n" % LOOKS % "script"),
        (SCRIPT + "-per-boot", "#!/bin/sh\n%s\n" % LOOKS % "per-boot"),
    )),
    config("scripts in the image's directories", "", prepare="""
cd /var/lib/cloud 2>/dev/null || { mkdir -p /var/lib/cloud; cd /var/lib/cloud; }
for when in per-boot per-instance per-once; do
    mkdir -p scripts/$when
    printf '#!/bin/sh\\necho %s >>/srv/order\\n' $when >scripts/$when/10-say
    chmod 755 scripts/$when/10-say
    printf 'echo not executable >>/srv/order\\n' >scripts/$when/20-data
done
""", boots=[{"instance": INSTANCE}, {"instance": INSTANCE}, {"instance": OTHER_INSTANCE}]),
    case("launch index 1 of two", multipart(
        (CONFIG + "\nLaunch-Index: 0", "#cloud-config\nhostname: zero\n"),
        (CONFIG + "\nLaunch-Index: 1", "#cloud-config\nhostname: one\n"),
        (SCRIPT, SAYS % "both")), index=1),
    config("final_message", "final_message: 'up after $UPTIME: $TIMESTAMP $DATASOURCE'"),
    config("final_message and a failing runcmd", "final_message: 'it is over'\nruncmd: ['false']"),
    config("output: of the last stage to a file", """
output: {final: '>> /srv/output'}
runcmd: [echo said, 'echo to stderr >&2']
no_ssh_fingerprints: true
ssh: {emit_keys_to_console: false}
"""),
    config("output: both streams to files of their own", """
output: {final: {output: '> /srv/output', error: '> /srv/error'}}
runcmd: [echo said, 'echo to stderr >&2']
no_ssh_fingerprints: true
ssh: {emit_keys_to_console: false}
"""),
    config("output through a command, with a message of one's own", """
output: {final: '| tee -a /srv/output >/srv/error'}
runcmd: [echo said, 'echo to stderr >&2']
final_message: it is over
no_ssh_fingerprints: true
ssh: {emit_keys_to_console: false}
"""),
    config("modules: user data may move and leave out", """
cloud_final_modules: [scripts-user, write-files-deferred]
cloud_config_modules: [runcmd]
write_files: [{path: /srv/late, content: a, defer: true}]
runcmd: ['ls /srv >/srv-list']
timezone: Europe/Paris
"""),
    config("modules: scripts at each boot", "cloud_final_modules: [[scripts-user, always]]\nruncmd: [echo a >>/srv/order]",
           boots=[{}, {}]),
]

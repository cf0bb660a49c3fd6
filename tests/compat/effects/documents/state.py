"""What tools that know cloud-init look for, and an instance that changes hands."""

from launch import INSTANCE, OTHER_INSTANCE, case, multipart

from .commands import CONFIG, SCRIPT

COMPAT = "firstlight: {cloud_init_compat: true}\n"
# The files of /run are as a script of the final stage finds them.
COPIES = "runcmd: [cp -a /run/cloud-init /srv/run, echo runcmd >>/srv/order]\n"
SAYS = "#!/bin/sh\necho script >>/srv/order\n"
USER_DATA = multipart(
    (CONFIG, "#cloud-config\n" + COPIES + "write_files: [{path: /srv/a, content: a}]\n"),
    (SCRIPT, SAYS),
    (SCRIPT + "-per-once", "#!/bin/sh\necho once >>/srv/order\n", "once.sh"),
)
SEMAPHORES = "/var/lib/cloud/instance/sem"


def state(name, user_data, **more):
    return case("on disk: " + name, user_data, image=COMPAT, state=True, **more)


DOCUMENTS = [
    state("a boot", USER_DATA),
    state("a second boot", USER_DATA, boots=[{}, {}]),
    state("a new instance", USER_DATA, boots=[{"instance": INSTANCE}, {"instance": OTHER_INSTANCE}]),
    state("no user data", b""),
    state("a script that fails", "#!/bin/sh\ncp -a /run/cloud-init /srv/run\nexit 3\n"),
    state("a semaphore is taken away", USER_DATA, boots=[
        {}, {"before": "rm %s/config_scripts_user %s/config_write_files /srv/a; rm -r /srv/run\n" % (SEMAPHORES, SEMAPHORES)}]),
    state("all semaphores of the instance are taken away", USER_DATA, boots=[
        {}, {"before": "rm -r /var/lib/cloud/instances /srv/run\n"}]),
    state("only the link is taken away", USER_DATA, boots=[{}, {"before": "rm /var/lib/cloud/instance\n"}]),
    state("somebody says that it is done", USER_DATA, prepare=(
        "mkdir -p /var/lib/cloud/instances/%s/sem\ntouch /var/lib/cloud/instances/%s/sem/config_scripts_user\n"
        % (INSTANCE, INSTANCE))),
    state("a script takes its own away", SAYS + "rm %s/config_scripts_user\n" % SEMAPHORES, boots=[{}, {}]),
    state("an instance of cloud-init's is taken over", USER_DATA, boots=[{}, {}], taken_over=True),
    state("an image of cloud-init's is taken over", USER_DATA, taken_over=True, boots=[
        {"instance": INSTANCE}, {"instance": OTHER_INSTANCE, "before": "rm -r /srv/run"}]),
]

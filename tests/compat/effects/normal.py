"""Makes what both sides left behind comparable: without what is random, of the day, or their own books."""

import fnmatch
import json
import re
import warnings

import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
        import crypt
    except ImportError:  # Python 3.13 has none; then only the method of a hash is compared.
        crypt = None

# Files that are not compared, and why.
IGNORED = {
    "var/lib/cloud*": "cloud-init's own state",
    "var/lib/firstlight*": "firstlight's own state",
    "var/log/cloud-init*.log": "cloud-init's logs",
    "var/log/firstlight*.log": "firstlight's logs",
    "run/*": "gone at the next boot",
    "dev/*": "gone at the next boot",
    "etc/[!/]*-": "the copies that useradd and its like keep of the files before",
    "etc/.pwd.lock": "a lock",
    "*/__pycache__*": "Python's cache",
    "var/cache/*": "caches",
}
# cloud-init's own state, of documents that are about it: how each path is compared. What is in /run
# such a document copies to /srv/run.
STATE = {
    "*/sem/*": "only whether it is there",
    "*/boot-finished": "the form of its line",
    "*/status.json": "which keys it has",
    "*/result.json": "which keys it has",
    "srv/run/instance-data*.json": "what it says, but for the image's configuration and Python",
    "srv/run/combined-cloud-config.json": "that it is there",
    "var/lib/cloud/instances/*/cloud-config.txt": "that it is there",
}
STATE_LINKS = ["var/lib/cloud*", "var/log/cloud-init*.log", "srv/run*"]
# Comments tell who wrote a file and when; here they are no part of what is compared.
COMMENTED = [
    "etc/apt/*", "etc/hosts", "etc/sudoers", "etc/sudoers.d/*", "etc/doas.conf", "etc/ssh/sshd_config*", "etc/*locale*",
    "etc/yum.repos.d/*", "srv/repos/*", "etc/zypp/*", "etc/apk/repositories",
    "*/client.rb",
    "etc/ca-certificates.conf", "etc/default/keyboard",
]
# What stands between words is each side's own; in sshd_config cloud-init puts a blank where a tab was.
SPACED = ["etc/hosts", "etc/ssh/sshd_config"]
# Where documents send the output of a stage; cloud-init speaks there, too.
OUTPUT = ["srv/output", "srv/error"]
# What is in them is compared, and not how it is written: keys may stand in another order.
YAML = ["etc/salt/grains", "*/salt/minion", "*/csr_attributes.yaml", "etc/chef/firstboot.json"]
SETTINGS = ["etc/mcollective/server.cfg", "*/puppet.conf"]
# Calls that only ask, or that each side makes in its own way before it does anything.
ASKING = [
    "systemd-detect-virt *", "ip --json *", "ip -o *", "ip --oneline *", "growpart --help", "udevadm settle*",
    "systemctl is-active *", "systemctl is-enabled *", "systemctl show *", "apt-cache *",
    "rpm -q *", "subscription-manager identity", "subscription-manager list *", "subscription-manager repos --list-*",
    "subscription-manager --help",
]
# No job is waited for before the boot goes on, and sshd is not started by it.
RESTARTS_OF_SSHD = [
    "systemctl restart ssh* --job-mode=ignore-dependencies", "systemctl --no-block try-restart -- ssh*.service",
    "rc-service --nocolor sshd restart", "rc-service --nocolor --ifstarted sshd restart",
]
# What cloud-init warns of because of the lab: there is no network card to get an address with, so
# that it asks the metadata service only when the network is there; and no disk to grow on.
OF_THE_LAB = [
    "Did not find a fallback interface*", "Getting data from <class '*DataSourceEc2Local'> failed",
    "Device '/dev/overlay' did not exist*",
]
HOST_KEY = "etc/ssh/ssh_host_*"
KEYS_BEGIN, KEYS_END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


def normal(result, document):
    """The machine, comparable: `boots` and `files`."""
    files = {}
    for path, file in sorted(result["files"].items()):
        is_state = document.get("state") and matches(path, [*STATE, *STATE_LINKS])
        if is_state or not matches(path, IGNORED):
            files["/" + path] = normal_file(path, file, document)
    drop_empty_keys(files)
    boots = [normal_boot(boot) for boot in result["boots"]]
    return {"boots": boots, "files": files}


def drop_empty_keys(files):
    """To show the keys of a user who has none, cloud-init makes an empty file, when all else is done."""
    def is_new(path):
        return files[path]["was"] == "absent"
    for path in [path for path in files if path.endswith("/.ssh/authorized_keys") and is_new(path)]:
        if files[path].get("content") == "":
            del files[path]
    for path in [path for path in files if path.endswith("/.ssh") and is_new(path)]:
        if not any(other.startswith(path + "/") for other in files):
            del files[path]


def normal_boot(boot):
    why = [text for text in boot["why"] if not matches(text, OF_THE_LAB)]
    status = boot["status"]
    if status == "degraded" and not why:
        status = "done"
    calls = [normal_call(normal_job(call)) for call in boot["calls"] if not matches(call, ASKING)]
    return {"status": status, "why": why, "calls": calls, "host name": boot["host_name"], "ended": boot["finished"],
            "console": normal_console(boot["console"])}


def normal_job(call):
    """A job for systemd by what it is; firstlight waits for none before the boot goes on."""
    verbs = "enable|start|stop|restart|reload-or-restart|reload-or-try-restart|try-reload-or-restart"
    job = re.fullmatch(r"systemctl (?:--no-block )?(%s) (?:-- )?(\S+?)(?:\.service)?" % verbs, call)
    return "systemctl %s %s" % (job[1].replace("reload-or-try-", "try-reload-or-"), job[2]) if job else call


def normal_call(call):
    """A call by what it asks for; cloud-init installs packages in no order."""
    if matches(call, RESTARTS_OF_SSHD):
        return "restarts sshd"
    before, install, packages = call.partition(" install ")
    return before + install + " ".join(sorted(packages.split(" "))) if before.startswith("apt-get ") else call


def normal_console(text):
    """What programs read there: the host keys, without the keys, and who got a password.

    Fingerprints go there by way of the system's log, which is not there.
    """
    kept, inside = [], False
    # A key that was given without a line end takes that of the block.
    for line in text.replace(KEYS_END, "\n" + KEYS_END).splitlines():
        if line in [KEYS_BEGIN, KEYS_END]:
            inside = line == KEYS_BEGIN
            kept.append(line)
        elif inside and line:
            kept.append(" ".join(word for word in line.split() if not word.startswith("AAAA")))
        elif random_password := re.fullmatch(r"([a-z]+):\S{20}", line):
            kept.append(random_password[1] + ":PASSWORD")
    return kept


def matches(text, patterns):
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def normal_file(path, file, document):
    if "content" not in file:
        return file
    text = file["content"]
    if file["type"] == "file" and matches(path, STATE_LINKS):
        text = normal_state(path, text)
    elif path == "etc/shadow":
        text = normal_shadow(text, document)
    elif fnmatch.fnmatchcase(path, HOST_KEY):
        text = normal_key(text, document)
    elif path.endswith("/authorized_keys"):
        # cloud-init adds keys in no order.
        text = "".join(sorted(text.splitlines(True)))
    elif matches(path, COMMENTED):
        lines = [line for line in text.splitlines() if line.strip() and not re.match("#(?!include)|//", line)]
        lines = [" ".join(line.split()) for line in lines] if matches(path, SPACED) else lines
        text = "\n".join([*lines, ""])
    elif matches(path, YAML):
        text = json.dumps(yaml.safe_load(text), indent=1, sort_keys=True, default=str)
    elif matches(path, SETTINGS):
        text = normal_settings(text)
    elif path == "etc/fstab":
        # Each waits for its own unit.
        text = text.replace("x-systemd.after=firstlight.service", "x-systemd.after=cloud-init-network.service")
    elif matches(path, OUTPUT):
        text = "".join(line for line in text.splitlines(True) if not line.startswith(("Cloud-init v. ", "firstlight v. ")))
    return {**file, "content": text}


def normal_settings(text):
    """Lines `name = value` in the order of their names, each with its section."""
    section, lines = "", []
    for line in text.splitlines():
        section = line if line.startswith("[") else section
        lines += [] if not line.strip() or line.startswith(("[", "#")) else [section + line + "\n"]
    return "".join(sorted(lines))


def normal_state(path, text):
    """A file of cloud-init's own state, without what is of one boot alone."""
    # In the lab the local stage finds no network; on EC2 it does.
    text = text.replace("DataSourceEc2Local", "DataSourceEc2")
    if matches(path, ["*/sem/*", "var/log/*", "*/cloud-config.txt", "*/combined-cloud-config.json"]):
        return ""
    if path.endswith("/boot-finished"):
        return re.sub("[0-9]+", "0", re.sub("[A-Z][a-z]{2}", "Day", text.partition(" - v. ")[0]))
    if matches(path, ["*/status.json", "*/result.json"]):
        return "".join(sorted(set(keys_of(json.loads(text)))))
    if matches(path, ["srv/run/instance-data*.json"]):
        return normal_instance_data(json.loads(text))
    return text


def keys_of(value, path=""):
    """The paths of all that is in a document; what is wrong is told in everybody's own words."""
    yield path + "\n"
    if isinstance(value, dict):
        for name, below in value.items():
            yield from keys_of(below, "%s/%s" % (path, name)) if name != "WARNING" else ()


def normal_instance_data(data):
    for of_image in ["merged_cfg", "merged_system_cfg"]:
        data[of_image] = data[of_image] if isinstance(data[of_image], str) else "the image's"
    data["ds"].pop("_doc")
    data["v1"].pop("python_version", None)
    data["sys_info"].pop("python", None)
    for group, name in [("sys_info", "platform"), ("v1", "system_platform")]:
        data[group][name] = data[group][name].partition("-with-")[0]
    return json.dumps(data, indent=1, sort_keys=True)


def normal_shadow(text, document):
    """Without the day of the last change, but for 0, which asks for a change (shadow(5))."""
    lines = []
    for line in text.splitlines():
        fields = line.split(":")
        fields[1] = normal_hash(fields[1], document)
        fields[2] = "0" if fields[2] == "0" else "DAY"
        lines.append(":".join(fields))
    return "\n".join(lines) + "\n"


def normal_hash(field, document):
    """A salted hash as what it is the hash of, as far as the document knows it."""
    mark, found = re.fullmatch(r"(!*)(.*)", field).groups()
    if not found.startswith("$") or found in document["text"]:
        return field
    method = found.split("$")[1]
    for password in document["passwords"]:
        if crypt and crypt.crypt(password, found) == found:
            return "%s<%s of %r>" % (mark, method, password)
    return "%s<%s>" % (mark, method)


def normal_key(text, document):
    """A host key as its type and comment, unless somebody gave it."""
    given = {line.strip() for line in document["text"].splitlines()}
    if given.issuperset(line.strip() for line in text.splitlines()):
        return text
    if text.startswith("-----BEGIN"):
        return text.splitlines()[0] + "\n"
    kind, _, comment = text.split(None, 2)
    return "%s KEY %s" % (kind, comment)

"""Other distributions than Debian: the same documents, on an image that says it is Amazon Linux, RHEL, Alpine ...

cloud-init's distributions are classes of one package, so the tree of Debian is made into one by what the image
says, in os-release(5) and cloud.cfg, and by the tools and units that it has. Those that are not in the tree are
stood in for, and say what they were called with.
"""

import json

from launch import config

from documents import managers

# Who runs services, and with which tools accounts are made, where they are others.
ALPINE = {"openrc": True}

# cloud-init's lists, with what a distribution has otherwise (config/cloud.cfg.tmpl): modules by stage.
INIT = ["seed_random", "bootcmd", "write_files", "growpart", "resizefs", "disk_setup", "mounts", "set_hostname",
        "update_hostname", "update_etc_hosts", "ca_certs", "rsyslog", "users_groups", "ssh", "set_passwords"]
CONFIG = ["ssh_import_id", "keyboard", "locale", "ntp", "timezone", "disable_ec2_metadata", "runcmd"]
FINAL = ["package_update_upgrade_install", "write_files_deferred", "puppet", "chef", "ansible", "mcollective",
         "salt_minion", "reset_rmc", "scripts_vendor", "scripts_per_once", "scripts_per_boot",
         "scripts_per_instance", "scripts_user", "ssh_authkey_fingerprints", "keys_to_console", "install_hotplug",
         "phone_home", "final_message", "power_state_change"]


def after(name, modules, *more):
    """The list with these behind one of its modules."""
    at = modules.index(name) + 1
    return [*modules[:at], *more, *modules[at:]]


def user(name, gecos, groups, shell="/bin/bash", **more):
    return {"name": name, "lock_passwd": True, "gecos": gecos, "groups": groups, "sudo": ["ALL=(ALL) NOPASSWD:ALL"],
            "shell": shell, **more}


RED_HAT = ["wheel", "adm", "systemd-journal"]
FIELDS = {"mount_default_fields": [None, None, "auto", "defaults,nofail", "0", "2"], "ssh_pwauth": False}
RHEL_FIELDS = [None, None, "auto", "defaults,nofail,x-systemd.after=cloud-init-network.service,_netdev", "0", "2"]
CHRONYD = "printf '#!/bin/sh\\n' >/usr/sbin/chronyd; chmod 755 /usr/sbin/chronyd\n"
# sshd's unit has the name that others give it.
SSHD = """
cd /usr/lib/systemd/system; mv ssh.service sshd.service; rm -f ssh.socket
groupadd --system wheel
"""
# Where Red Hat's have certificates, and programs that nobody calls.
PLACES = """
mkdir -p /usr/share/pki/ca-trust-source/anchors /etc/pki/ca-trust/source/anchors /etc/pki/ca-trust/extracted/pem
: >/etc/pki/ca-trust/source/README
cp -a /usr/lib/cloud-init /usr/libexec
"""
# As in the package openssh-server of RHEL 9: a group reads the private keys.
KEYS_GROUP = """
groupadd --system ssh_keys
mkdir -p /usr/libexec/openssh
printf 'chgrp ssh_keys $KEY\\nchmod 640 $KEY\\n' >/usr/libexec/openssh/sshd-keygen
printf '#!/bin/sh\\necho OpenSSH_8.7p1, OpenSSL 3.0.7 >&2\\n' >/usr/local/sbin/sshd; chmod 755 /usr/local/sbin/sshd
"""
# hostnamectl(1) and localectl(1), which ask who is not there. The first does what it is told, and says nothing of it.
ASKED = """
cat >/usr/bin/hostnamectl <<'END'
#!/bin/sh
for name; do :; done
case " $* " in *' --transient '*) ;; *) echo "$name" >/etc/hostname ;; esac
hostname "$name"
END
cp /usr/bin/systemctl /usr/bin/localectl
"""
# Those of busybox, which are links to it: they say what they were told, and shadow's do it.
BUSYBOX = """
mkdir /usr/lib/shadow
mv /usr/sbin/useradd /usr/sbin/groupadd /usr/sbin/usermod /usr/sbin/chpasswd /usr/bin/passwd /usr/lib/shadow
rm /usr/sbin/adduser /usr/sbin/addgroup
cat >/usr/bin/bbsuid <<'END'
#!/bin/sh
name=${0##*/}
echo "$name $*" >>/run/calls
case $name in
adduser)
    left=$# home=--create-home
    while [ $left -gt 0 ]; do
        word=$1 left=$((left - 1)); shift
        case $word in
        -[ghGsu]) value=$1 left=$((left - 1)); shift ;;
        esac
        case $word in
        -D) ;;
        -g) set -- "$@" --comment "$value" ;;
        -h) set -- "$@" --home-dir "$value" ;;
        -G) set -- "$@" --gid "$value" ;;
        -s) set -- "$@" --shell "$value" ;;
        -u) set -- "$@" --uid "$value" ;;
        -S) set -- "$@" --system ;;
        -H) home=--no-create-home ;;
        *) user=$word ;;
        esac
    done
    exec /usr/lib/shadow/useradd "$@" $home "$user" ;;
addgroup)
    [ $# = 1 ] && exec /usr/lib/shadow/groupadd "$1"
    exec /usr/lib/shadow/usermod -a -G "$2" "$1" ;;
passwd)
    # busybox has no long options, and what is locked already is a mistake.
    case $1 in -*) ;; *) exit 1 ;; esac
    case $1 in --*) exit 1 ;; esac
    if [ "$1" = -l ] && grep -q "^$2:!" /etc/shadow; then echo "passwd: password for $2 is already locked" >&2; exit 1; fi
    if [ "$1" = -u ] && ! grep -q "^$2:!" /etc/shadow; then echo "passwd: password for $2 is already unlocked" >&2; exit 1; fi
    exec /usr/lib/shadow/passwd -q "$@" ;;
*)
    exec /usr/lib/shadow/$name "$@" ;;
esac
END
chmod 4755 /usr/bin/bbsuid
for name in sbin/adduser sbin/addgroup sbin/chpasswd bin/passwd; do ln -s /usr/bin/bbsuid /usr/$name; done
"""
OPENRC = """
for name in ifquery ifup ifdown; do ln -s ../bin/true /usr/sbin/$name; done
mkdir -p /etc/network; : >/etc/network/interfaces
rm -rf /usr/lib/systemd /etc/systemd /usr/bin/systemctl /usr/bin/hostnamectl /usr/bin/localectl
ln -s sh /usr/bin/ash
groupadd --system wheel
mkdir -p /etc/init.d /etc/runlevels/default; : >/etc/init.d/sshd
mkdir -p /usr/share/bkeymaps/de; : >/usr/share/bkeymaps/de/de-nodeadkeys.bmap.gz
"""

# By name: os-release(5), system_info, what cloud.cfg says otherwise, tools to stand in for, and what else makes it.
IMAGES = {
    "amazon": {
        "release": 'ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\nNAME="Amazon Linux"\n',
        "system": {"distro": "amazon", "default_user": user("ec2-user", "EC2 Default User", RED_HAT), "ssh_svcname": "sshd"},
        "cfg": {**FIELDS, "resize_rootfs": "noblock", "network": {"config": "disabled"}},
        "tools": ["dnf", "rpm"], "prepare": SSHD + KEYS_GROUP + PLACES + ASKED + CHRONYD,
    },
    "rhel": {
        "release": 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.4"\nNAME="Red Hat Enterprise Linux"\n',
        "system": {"distro": "rhel", "default_user": user("cloud-user", "Cloud User", ["adm", "systemd-journal"]),
                   "ssh_svcname": "sshd"},
        "cfg": {**FIELDS, "mount_default_fields": RHEL_FIELDS, "syslog_fix_perms": None,
                "cloud_config_modules": after("locale", [name for name in CONFIG if name != "keyboard"],
                                              "rh_subscription", "spacewalk", "yum_add_repo")},
        "tools": ["dnf", "rpm"], "prepare": SSHD + KEYS_GROUP + PLACES + ASKED + CHRONYD,
    },
    "fedora": {
        "release": 'ID=fedora\nVERSION_ID=41\nNAME="Fedora Linux"\n',
        "system": {"distro": "fedora", "default_user": user("fedora", "fedora Cloud User", RED_HAT), "ssh_svcname": "sshd"},
        "cfg": {**FIELDS, "cloud_config_modules": after("locale", CONFIG, "spacewalk", "yum_add_repo")},
        "tools": ["dnf", "rpm"], "prepare": SSHD + PLACES + ASKED,
    },
    "sles": {
        "release": 'ID="sles"\nID_LIKE="suse"\nVERSION_ID="15.6"\nNAME="SLES"\n',
        "system": {"distro": "sles", "default_user": user("ec2-user", "EC2 Default User", ["cdrom", "users"]),
                   "ssh_svcname": "sshd"},
        "cfg": {"syslog_fix_perms": "root:root", "cloud_config_modules": after("locale", CONFIG, "zypper_add_repo")},
        "tools": ["zypper", "rpm"], "prepare": SSHD + ASKED + CHRONYD + "mkdir -p /usr/share/pki/trust/anchors\n",
    },
    "opensuse": {
        "release": 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"\nNAME="openSUSE Leap"\n',
        "system": {"distro": "opensuse", "default_user": user("opensuse", "suse Cloud User", ["cdrom", "users"]),
                   "ssh_svcname": "sshd"},
        "cfg": {"syslog_fix_perms": "root:root", "cloud_config_modules": after("locale", CONFIG, "zypper_add_repo")},
        "tools": ["zypper", "rpm"],
        # What packages say of sudo and sshd is in /usr/etc.
        "prepare": SSHD + ASKED + "mkdir -p /usr/etc; sed '/includedir/d' /etc/sudoers >/usr/etc/sudoers\n"
                   "chmod 440 /usr/etc/sudoers; rm /etc/sudoers; mkdir /usr/etc/ssh; mv /etc/ssh/sshd_config /usr/etc/ssh\n",
    },
    "alpine": {
        "release": 'ID=alpine\nVERSION_ID=3.21.0\nNAME="Alpine Linux"\n',
        "system": {"distro": "alpine", "ssh_svcname": "sshd",
                   "default_user": user("alpine", "alpine Cloud User", ["adm", "wheel"], "/bin/ash",
                                        doas=["permit nopass alpine"])},
        "cfg": {**FIELDS, "cloud_init_modules": after("update_etc_hosts", INIT, "resolv_conf"),
                "cloud_config_modules": after("locale", CONFIG, "apk_configure")},
        "tools": ["apk", "rc-service", "rc-update", "setup-keymap", "poweroff", "halt"],
        "prepare": OPENRC, "boot": ALPINE,
    },
    "ubuntu": {
        "release": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nNAME="Ubuntu"\n',
        "system": {"distro": "ubuntu", "default_user": user("ubuntu", "Ubuntu", ["adm", "cdrom", "dip", "lxd", "sudo"]),
                   "ntp_client": "auto", "ssh_svcname": "ssh"},
        "cfg": {"cloud_config_modules": ["wireguard", "snap", "ubuntu_autoinstall",
                                         *after("locale", CONFIG, "grub_dpkg", "apt_pipelining", "apt_configure", "ubuntu_pro"),
                                         "byobu"],
                "cloud_final_modules": after("package_update_upgrade_install", FINAL, "fan", "landscape", "lxd",
                                             "ubuntu_drivers"),
                "apt": {"preserve_sources_list": True}},
        "tools": [], "prepare": "printf '#!/bin/sh\\necho snap $* >>/run/calls\\n[ $1 != get ] || echo {}\\n' >/usr/bin/snap; chmod 755 /usr/bin/snap\n"
    },
}


def image(name, *, shadow=True, more=""):
    """A script that makes Debian's tree into an image of the distribution. Without `shadow` its accounts are made
    by busybox's tools."""
    made = IMAGES[name]
    cfg = {"users": ["default"], "disable_root": True, "preserve_hostname": False, "cloud_init_modules": INIT,
           "cloud_config_modules": CONFIG, "cloud_final_modules": FINAL, **made["cfg"],
           "system_info": {**made["system"], "paths": {"cloud_dir": "/var/lib/cloud/", "templates_dir": "/etc/cloud/templates/"}}}
    lines = [
        "cat >/usr/lib/os-release <<'END'\n%sEND" % made["release"],
        "cat >/etc/cloud/cloud.cfg <<'END'\n%s\nEND" % json.dumps(cfg),
        "for tool in %s; do rm -f /usr/bin/$tool; cp /usr/bin/systemctl /usr/local/bin/$tool; done" % " ".join(made["tools"]),
        "" if name == "ubuntu" else "rm /usr/bin/apt-get /usr/bin/apt-cache /usr/sbin/locale-gen /usr/sbin/update-locale",
    ]
    return "\n".join([*lines, made["prepare"], "" if shadow else BUSYBOX, more])


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA deploy"
HASH = "$6$example0$0nRA1qJZ0lTLQKyS0yDpU9pAsUoKOyVn0VxvjbMvnPjl0IB0k9eLxTUlB8oMBX4oDb/u5ICXc4C3q9kHhJ7qM1"
# Runs beside what follows: whether it is called is seen, and not when.
COLLECTORS = """
for name in update-ca-trust update-ca-certificates; do
    printf '#!/bin/sh\\necho "${0##*/} $*" >>/srv/collected\\n' >/usr/local/sbin/$name; chmod 755 /usr/local/sbin/$name
done
"""
CERTIFICATE = "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n"
# What every distribution is asked for, in the same words.
THEMES = {
    "nothing is asked": {"text": ""},
    "names, language and clock": {"text": """
hostname: web-1
fqdn: web-1.example.com
manage_etc_hosts: true
manage_resolv_conf: true
resolv_conf: {nameservers: [10.0.0.2], searchdomains: [example.com], options: {rotate: true, timeout: 1}}
locale: de_DE.UTF-8
timezone: Europe/Berlin
keyboard: {layout: de, variant: de-nodeadkeys}
random_seed: {file: /srv/seed, data: abc, encoding: raw, command: [echo, a], command_required: true}
disable_ec2_metadata: true
"""},
    "a line of hosts, and a second boot": {"text": "fqdn: web-1.example.com\nmanage_etc_hosts: localhost\nlocale: C.UTF-8\n",
                                           "boots": [{}, {}]},
    "accounts": {"text": f"""
groups: [crew, {{ops: [root]}}]
users:
  - default
  - {{name: ada, gecos: Ada L, groups: [crew, adm], inactive: '5', expiredate: '2040-01-01', sudo: ['ALL=(ALL) NOPASSWD:ALL'], ssh_authorized_keys: ['{KEY}']}}
  - {{name: bob, primary_group: crew, uid: 1500, homedir: /srv/bob, shell: /bin/sh, lock_passwd: false,
     passwd: '{HASH}', doas: [permit nopass bob]}}
  - {{name: web-x, system: true, no_create_home: true, lock_passwd: false, plain_text_passwd: secret3}}
ssh_pwauth: true
disable_root: false
chpasswd:
  expire: true
  users: [{{name: ada, password: secret1, type: text}}, {{name: root, password: '{HASH}'}}]
""", "passwords": ["secret1", "secret3"]},
    "packages": {"text": """
package_update: true
package_upgrade: true
package_reboot_if_required: true
packages: [nginx, [curl, 8.5.0]]
yum_repos: {epel: {name: EPEL, baseurl: 'https://example.com/$releasever', gpgcheck: true, enabled: false}}
zypper: {repos: [{id: ha, name: HA, baseurl: 'https://example.com/ha', enabled: 1, autorefresh: 1}],
  config: {download.use_deltarpm: true}}
apk_repos: {alpine_repo: {base_url: 'https://example.com/alpine', community_enabled: true, testing_enabled: true, version: v3.21}}
runcmd: [[echo, a]]
""", "more": "mkdir -p /etc/yum.repos.d /etc/zypp/repos.d /etc/apk\nprintf '[main]\\n' >/etc/zypp/zypp.conf\n"},
    "trust, clock and messages": {"text": f"""
ca_certs: {{remove_defaults: true, trusted: ["{CERTIFICATE}"]}}
ntp: {{enabled: true}}
rsyslog: {{configs: ['*.* @10.0.0.1'], remotes: {{log: '10.0.0.2:514'}}, install_rsyslog: true}}
""", "more": managers.image(packages=["chrony", "rsyslog"]) + COLLECTORS},
    "managers": {"text": """
puppet: {conf: {agent: {server: puppet.example.org}}}
chef: {install_type: packages, server_url: 'https://chef.example.com', validation_name: v, node_name: web-1, exec: false}
salt_minion: {conf: {master: salt.example.com}}
mcollective: {conf: {daemonize: 1}}
ansible: {install_method: distro, package_name: ansible}
""", "more": managers.image("puppet", "ansible") + "mkdir -p /etc/puppet /etc/salt/pki; : >/etc/puppet/puppet.conf\n"},
    "disks and the end": {"text": """
mounts: [[/dev/nosuch1, /data]]
power_state: {mode: poweroff, delay: 1, message: bye}
runcmd: [echo a >>/srv/order, 'readlink /proc/$$/exe >>/srv/order']
bootcmd: [echo b >>/srv/order]
"""},
}


def on(name, theme, *, mark="", **image_options):
    asked = dict(THEMES[theme])
    made = image(name, more=asked.pop("more", ""), **image_options)
    boot = IMAGES[name].get("boot", {})
    return config("%s%s: %s" % (name, mark, theme), asked.pop("text"), prepare=made, **asked, **boot)


# What is as on another one of these is not asked again.
ALL = list(THEMES)
ASKED = {
    "amazon": ALL,
    "rhel": ALL,
    "fedora": ["nothing is asked", "names, language and clock", "trust, clock and messages"],
    "sles": ALL,
    "opensuse": ["nothing is asked", "accounts", "trust, clock and messages"],
    "alpine": ALL,
    "ubuntu": ["nothing is asked", "packages", "trust, clock and messages"],
}

DOCUMENTS = [
    *(on(name, theme) for name, themes in ASKED.items() for theme in themes),
    on("alpine", "nothing is asked", mark=" without shadow", shadow=False),
    on("alpine", "accounts", mark=" without shadow", shadow=False),
]

"""Packages, the clock's zone, the locale, the resolver, the network's services, and the end."""

from launch import config

DOCUMENTS = [
    config("packages", "packages: [nginx, git]"),
    config("packages: one that is not there", "packages: [nginx, nosuchpackage]"),
    config("packages: with a version", "packages: [[nginx, 1.22.1-9], git]"),
    config("packages: by a manager", "packages: [{apt: [nginx, [git, '1:2.39']]}, jq]"),
    config("packages: text in place of a list", "packages: nginx"),
    config("packages: an empty list", "packages: []"),
    config("package_update", "package_update: true"),
    config("package_upgrade", "package_upgrade: true"),
    config("package_update and upgrade and packages", "package_update: true\npackage_upgrade: true\npackages: [nginx]"),
    config("package_update: false with packages", "package_update: false\npackages: [nginx]"),
    config("packages: the old names", "apt_update: true\napt_upgrade: true\napt_reboot_if_required: true"),
    config("package_reboot_if_required", "package_upgrade: true\npackage_reboot_if_required: true",
           prepare="mkdir -p /var/run; touch /var/run/reboot-required"),
    config("packages, then runcmd", "packages: [nginx]\nruncmd: [echo runcmd >>/srv/order, systemctl restart nginx]"),
    config("packages: second boot", "packages: [nginx]", boots=[{}, {}]),
    config("timezone", "timezone: Europe/Berlin"),
    config("timezone: a file in place of a link", "timezone: UTC", prepare="""
rm -f /etc/localtime; cp /usr/share/zoneinfo/Asia/Tokyo /etc/localtime; echo Asia/Tokyo >/etc/timezone
"""),
    config("timezone: one that is not there", "timezone: Mars/Olympus"),
    config("locale: C.UTF-8", "locale: C.UTF-8"),
    config("locale: one that has to be made", "locale: en_US.UTF-8"),
    config("locale: false", "locale: false"),
    config("locale: its own file", "locale: C.UTF-8\nlocale_configfile: /etc/my-locale"),
    config("disable_ec2_metadata", "disable_ec2_metadata: true"),
    config("disable_ec2_metadata: each boot", "disable_ec2_metadata: true", boots=[{}, {}]),
    config("disable_ec2_metadata: false", "disable_ec2_metadata: false"),
    config("resolv_conf", """
manage_resolv_conf: true
resolv_conf: {nameservers: [10.0.0.2], searchdomains: [example.com], domain: example.com, options: {rotate: true, timeout: 1}}
"""),
    config("growpart and resize_rootfs off", "growpart: {mode: 'off'}\nresize_rootfs: false"),
    config("power_state: poweroff", "power_state: {mode: poweroff, message: bye}"),
    config("power_state: reboot, delayed", "power_state: {mode: reboot, delay: '+5', timeout: 5}"),
    config("power_state: delay as a number", "power_state: {mode: halt, delay: 3}"),
    config("power_state: condition false", "power_state: {mode: reboot, condition: false}"),
    config("power_state: condition is a command", "power_state: {mode: reboot, condition: test -e /srv/reboot}\n"
                                                  "runcmd: [touch /srv/reboot]"),
    config("power_state: condition is a command that fails", "power_state: {mode: reboot, condition: [test, -e, /nosuch]}"),
    config("power_state: a mode that is none", "power_state: {mode: nosuch}"),
    config("power_state: without a mode", "power_state: {delay: now}"),
    config("power_state: second boot", "power_state: {mode: reboot}", boots=[{}, {}]),
    config("seed_random", "random_seed: {file: /srv/random, data: abc, encoding: raw}"),
    config("mounts", "mounts: [[/dev/nosuch1, /data, ext4, 'defaults,nofail', '0', '2']]\nswap: {size: 0}"),
    config("ntp", "ntp: {servers: [10.0.0.1], enabled: true, ntp_client: systemd-timesyncd}"),
    config("ca_certs", "ca_certs: {trusted: ['-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----']}"),
    config("unknown keys beside known ones", "hostnam: web-1\nnosuch: {a: b}\nruncmd: [echo a >>/srv/order]"),
]

"""Repositories, snaps, LXD and what registers a machine: of other distributions, so the image insists on them."""

from launch import config

# Lists that name the modules which Debian's own leave out.
MODULES = """
cloud_config_modules: [snap, ubuntu_pro, rh_subscription, spacewalk, yum_add_repo, zypper_add_repo, apk_configure, runcmd]
cloud_final_modules: [package_update_upgrade_install, fan, landscape, lxd, ubuntu_drivers, scripts_user, final_message]
"""
INSISTS = MODULES + """
unverified_modules: [snap, ubuntu_pro, rh_subscription, spacewalk, yum_add_repo, zypper_add_repo, apk_configure, fan,
  landscape, lxd, ubuntu_drivers]
"""
# A program in Python, as those are that get their secrets from standard input here: it tells its call without
# what nobody may see, and answers as one on a machine that is not registered.
PYTHON = """
cat >/usr/local/bin/%s <<'EOF'
#!/usr/bin/python3
import os, sys
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
with open("/run/calls", "a") as calls:
    print(name, *words, file=calls)
if words[:1] == ["enable"]:
    print("{}")
if words[:1] == ["register"]:
    print("The system has been registered with ID: 1")
if words == ["--help"]:
    print("  attach         Attach a subscription")
if words[:2] == ["list", "--available"]:
    print("1a1a\\n2b2b")
if words[:2] == ["repos", "--list-disabled"]:
    print("Repo ID:   rhel-a")
if words[:2] == ["repos", "--list-enabled"]:
    print("Repo ID:   rhel-b")
sys.exit(5 if "--is-registered" in words else 1 if words == ["identity"] or name == "rhn-profile-sync" else 0)
EOF
chmod 755 /usr/local/bin/%s
"""
ZYPP_CONF = "mkdir -p /etc/zypp; printf '[main]\\n# arch = s390\\n' >/etc/zypp/zypp.conf\n"


def there(*names, python=()):
    """Puts stand-ins for tools into the image: copies of one that is there."""
    copies = ["cp /usr/bin/systemctl /usr/local/bin/%s\n" % name for name in names]
    return "".join([*copies, *(PYTHON % (name, name) for name in python)])


def insisted(name, text, **more):
    return config(name, text, image=INSISTS, **more)


DOCUMENTS = [
    insisted("yum_repos", """
yum_repos:
  epel-testing:
    baseurl: https://example.com/pub/epel/testing/9/$basearch
    enabled: false
    failovermethod: priority
    gpgcheck: true
    gpgkey: file:///etc/pki/rpm-gpg/RPM-GPG-KEY-EPEL
    name: Extra Packages for Enterprise Linux 9 - Testing
"""),
    insisted("yum_repos: forms of options", """
yum_repos:
  a repo:
    Base-URL: x
    metalink: https://example.com/metalink
    priority: 10
    cost: 1.5
    includepkgs: [nginx, 'curl*', 7]
    exclude: ''
    skip-if-unavailable: yes
  b:
    mirrorlist: "https://example.com/one\\nhttps://example.com/two"
"""),
    insisted("yum_repos: a directory of its own", """
yum_repo_dir: /srv/repos
yum_repos: {a: {baseurl: 'https://example.com/'}}
""", prepare="mkdir -p /srv/repos"),
    insisted("yum_repos: one that is there already", "yum_repos: {a: {baseurl: 'https://example.com/'}}",
             prepare="mkdir -p /etc/yum.repos.d; echo '[a]' >/etc/yum.repos.d/a.repo"),
    insisted("yum_repos: without an address", "yum_repos: {a: {name: a}, b: {baseurl: 'https://example.com/'}}"),
    insisted("yum_repos: a percent sign", "yum_repos: {a: {baseurl: 'https://example.com/%20'}, b: {baseurl: x}}"),
    config("yum_repos: on a distribution that has none", "yum_repos: {a: {baseurl: 'https://example.com/'}}",
           image=MODULES),
    insisted("zypper", """
zypper:
  repos:
    - id: opensuse-oss
      name: os-oss
      baseurl: http://dl.example.com/dist/leap/v/repo/oss/
      enabled: 1
      autorefresh: 1
    - id: update oss
      baseurl: http://dl.example.com/dist/leap/v/update
      pkg-gpgcheck: true
  config:
    reposdir: /etc/zypp/repos.dir
    servicesdir: /etc/zypp/services.d
    download.use_deltarpm: true
""", prepare=ZYPP_CONF),
    insisted("zypper: no settings", "zypper: {repos: [{id: a, baseurl: 'http://a.example/'}]}", prepare=ZYPP_CONF),
    insisted("zypper: second boot", "zypper: {repos: [{id: a, baseurl: 'http://a.example/'}], config: {a.b: c}}",
             prepare=ZYPP_CONF, boots=[{}, {}]),
    insisted("zypper: one without an id", "zypper: {repos: [{baseurl: x}, {id: b, baseurl: y}]}", prepare=ZYPP_CONF),
    insisted("apk_repos", """
apk_repos:
  alpine_repo: {base_url: 'https://m.example/alpine', community_enabled: true, testing_enabled: true, version: v3.20}
  local_repo_base_url: https://local.example/alpine
""", prepare="mkdir -p /etc/apk"),
    insisted("apk_repos: edge", "apk_repos: {alpine_repo: {version: edge, testing_enabled: true}}"),
    insisted("apk_repos: left alone", "apk_repos: {preserve_repositories: true, alpine_repo: {version: edge}}"),
    insisted("snap", """
snap:
  assertions: {"00": "type: a", "01": "type: b"}
  commands: [snap install vlc, [snap, install, lxd], [install, hello, --edge], [null, touch, /srv/other]]
""", prepare=there("snap")),
    insisted("snap: commands by their keys", "snap: {commands: {'02': [install, b], '01': snap install a}}",
             prepare=there("snap")),
    insisted("snap: another command", "snap: {commands: [touch /srv/other]}", prepare=there("snap")),
    insisted("snap: no snapd", "snap: {commands: [[null, touch, /srv/other], snap refresh, [null, touch, /srv/last]]}"),
    config("snap: on Debian", "snap: {commands: [snap install vlc]}", prepare=there("snap")),
    insisted("ubuntu_pro: a token", """
ubuntu_pro:
  token: C1abc
  enable: [fips, esm-infra]
  config: {http_proxy: 'http://proxy.example:3128', https_proxy:}
  features: {disable_auto_attach: true}
""", prepare=there(python=["pro"])),
    insisted("ubuntu_pro: no services", "ubuntu_advantage: {token: C1abc, features: {disable_auto_attach: true}}",
             prepare=there(python=["pro"])),
    insisted("ubuntu_pro: no token", "ubuntu_pro: {enable: [fips], features: {disable_auto_attach: true}}",
             prepare=there(python=["pro"])),
    insisted("fan", "fan: {config: '10.0.0.0/8 eth0/16 dhcp'}", prepare=there("fanctl")),
    insisted("fan: not installed", "fan: {config: '10.0.0.0/8 eth0/16 dhcp', config_path: /srv/fan}"),
    insisted("landscape", """
landscape:
  client: {account_name: acme, computer_title: web, registration_key: secret, tags: 'a,b', log_level: debug}
""", prepare=there(python=["landscape-config"])),
    insisted("lxd: init", """
lxd:
  init: {network_address: 0.0.0.0, network_port: 8443, storage_backend: dir, storage_pool: datapool}
""", prepare=there("snap", "lxd", "lxc")),
    insisted("lxd: a new bridge", """
lxd:
  init: {storage_backend: zfs}
  bridge: {mode: new, name: lxdbr0, ipv4_address: 10.0.8.1, ipv4_netmask: 24, ipv4_dhcp_first: 10.0.8.2,
    ipv4_dhcp_last: 10.0.8.254, ipv4_nat: 'true', ipv6_address: 'fd98::1', ipv6_netmask: 64, ipv6_nat: 'true', domain: lxd}
""", prepare=there("snap", "lxd", "lxc")),
    insisted("lxd: an existing bridge", "lxd: {bridge: {mode: existing, name: br0}}", prepare=there("snap", "lxd", "lxc")),
    insisted("lxd: not installed", "lxd: {init: {storage_backend: btrfs}}", prepare=there("snap", "lxc")),
    insisted("lxd: a preseed", "lxd: {preseed: 'storage_pools: [{name: default, driver: lvm}]'}",
             prepare=there("snap", "lxd")),
    insisted("lxd: a preseed beside others", "lxd: {preseed: 'config: {}', init: {storage_backend: dir}}",
             prepare=there("snap", "lxd")),
    insisted("rh_subscription", """
rh_subscription:
  activation-key: secret
  org: '12345'
  auto-attach: true
  service-level: self-support
  add-pool: [1a1a]
  enable-repo: [rhel-a]
  disable-repo: [rhel-b]
  rhsm-baseurl: https://cdn.example.com
""", prepare=there(python=["subscription-manager"])),
    insisted("rh_subscription: a user", "rh_subscription: {username: joe, password: secret}",
             prepare=there(python=["subscription-manager"])),
    insisted("rh_subscription: not enough", "rh_subscription: {activation-key: secret}",
             prepare=there(python=["subscription-manager"])),
    insisted("rh_subscription: a server that is no text",
             "rh_subscription: {username: joe, password: secret, server-hostname: [a], auto-attach: true}",
             prepare=there(python=["subscription-manager"])),
    insisted("landscape: options that its schema does not name",
             "landscape: {client: {account_name: acme, computer_title: web, script_users: ALL, exchange_interval: 600}}",
             prepare=there(python=["landscape-config"])),
    insisted("lxd: storage of no kind", "lxd: {init: {storage_backend: zzz}}", prepare=there("snap", "lxd", "lxc")),
    insisted("zypper: a password", """
zypper: {repos: [{id: a, baseurl: 'http://a.example/'}], config: {credentials.global.password: hunter2}}
""", prepare=ZYPP_CONF),
    insisted("yum_repos: a token", "yum_repos: {a: {baseurl: 'https://h.example/?token=hunter2'}}"),
    insisted("yum_repos: a group in the path", "yum_repos: {a: {baseurl: 'https://h.example/repos/@crew/web/'}}"),
    insisted("apk_repos: a password", "apk_repos: {alpine_repo: {version: v3.20, base_url: 'https://u:hunter2@h.example'}}"),
    insisted("spacewalk", "spacewalk: {server: sw.example.com, proxy: proxy.example.com, activation_key: secret}",
             prepare=there(python=["rhnreg_ks", "rhn-profile-sync"])),
]

"""apt: sources, their keys, mirrors, settings and answers for debconf; GRUB's disk; byobu."""

import textwrap

from launch import OTHER_INSTANCE, config

KEY = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawdDsxYJKwYBBAHaRw8BAQdAuUGtpvjlQb51C817v4LV3F+bLNYtcPOyeuHt
yZQSFXW0FW9uZSA8b25lQGV4YW1wbGUuY29tPoiQBBMWCAA4FiEE+4gdm+fxUSg3
u5zjw0cbVeA1wHQFAmsHQ7MCGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ
w0cbVeA1wHRTnAEA94SkeX4vSVB4Nx31pU/gKegEakBOL43giWYYSRFGPWwA/18r
r7nnxKUfS7xCK3EjbSoJS6vxSka7W5eaReJpuXEH
=2mG5
-----END PGP PUBLIC KEY BLOCK-----
"""
PRESERVED = "apt:\n  preserve_sources_list: true\n"
MADE = "apt:\n  preserve_sources_list: false\n"
# An image whose configuration says nothing of apt.
SILENT = "sed -i '/^apt:/,/preserve_sources_list/d' /etc/cloud/cloud.cfg\n"
# Ubuntu's image for EC2, as far as apt is concerned; its mirrors are known to /etc/hosts.
UBUNTU = """
system_info:
  distro: ubuntu
  package_mirrors:
    - arches: [i386, amd64]
      failsafe: {primary: 'http://archive.ubuntu.com/ubuntu', security: 'http://security.ubuntu.com/ubuntu'}
      search:
        primary:
          - http://%(ec2_region)s.ec2.archive.ubuntu.com/ubuntu/
          - http://%(availability_zone)s.clouds.archive.ubuntu.com/ubuntu/
        security: []
    - arches: [default]
      failsafe: {primary: 'http://ports.ubuntu.com/ubuntu-ports', security: 'http://ports.ubuntu.com/ubuntu-ports'}
      search:
        primary: ['http://%(ec2_region)s.ec2.ports.ubuntu.com/ubuntu-ports/']
"""
NOBLE = """
sed -i 's/^ID=.*/ID=ubuntu/; s/^VERSION_CODENAME=.*/VERSION_CODENAME=noble/' /usr/lib/os-release
for archive in archive ports; do echo 10.0.0.9 eu-west-1.ec2.$archive.ubuntu.com >>/etc/hosts; done
"""
# Tools that are not in the tree: they say what they were told in /srv. gpg has the key when it has
# asked a server for it.
TOOLS = """
tool() { printf '#!/bin/sh\\n%%s\\n' "$2" >/usr/local/bin/$1; chmod 755 /usr/local/bin/$1; }
tool debconf-set-selections 'cat >>/srv/debconf'
tool dpkg-reconfigure 'echo "dpkg-reconfigure $*" >>/srv/calls'
tool add-apt-repository 'echo "add-apt-repository $*" >>/srv/calls'
tool byobu :
tool byobu-launcher-install 'echo "$(id -un) install" >>/srv/calls'
tool byobu-launcher-uninstall 'echo "$(id -un) uninstall" >>/srv/calls'
tool gpgconf :
tool gpg 'for key; do :; done
case "$*" in
*--recv-keys*) echo "$*" >>/srv/calls; touch "$GNUPGHOME/$key" ;;
*--armour*) [ ! -e "$GNUPGHOME/$key" ] || cat /usr/local/share/key ;;
*--export*) sed "1,/^$/d; /^=/,\\$d" /usr/local/share/key | base64 -d ;;
*--dearmor*) sed "1,/^$/d; /^=/,\\$d" | base64 -d ;;
esac'
mkdir -p /usr/local/share
printf %%s '%s' >/usr/local/share/key
touch /srv/calls
chmod 666 /srv/calls
""" % KEY


def block(text, depth):
    return "|\n" + textwrap.indent(text, " " * depth)


def apt(name, text, head=PRESERVED, prepare="", **more):
    """A document whose user data says this below `apt`."""
    text = head + textwrap.indent(textwrap.dedent(text).strip("\n"), "  ")
    return config("apt: " + name, text, prepare=TOOLS + prepare, **more)


DOCUMENTS = [
    apt("a source", "sources: {docker: {source: 'deb [arch=amd64] https://download.docker.com/linux/debian trixie stable'}}"),
    apt("several sources", """
        sources:
          a: {source: deb http://a.example.com/ x main}
          b.list: {source: deb http://b.example.com/ x main}
          z: {source: deb http://z.example.com/ x main, filename: b.list}
          c: {source: deb http://c.example.com/ x main, filename: b.list}
          d: {source: deb http://d.example.com/ x main, filename: /etc/apt/sources.list.d/d.list}
          e: {source: "deb http://e.example.com/ x main\\ndeb-src http://e.example.com/ x main"}
    """),
    apt("append", """
        sources:
          a: {source: deb http://a.example.com/ x main, filename: old.list}
          b: {source: deb http://b.example.com/ x main, filename: gone.list, append: false}
    """, prepare="for name in old gone; do echo deb http://$name.example.com/ x main >/etc/apt/sources.list.d/$name.list; done\n"),
    apt("a source with variables", """
        sources:
          a: {source: 'deb $MIRROR $RELEASE-backports main'}
          b: {source: 'deb ${PRIMARY} ${RELEASE} main'}
          c: {source: 'deb $SECURITY $RELEASE-security main'}
          d: {source: 'deb http://d.example.com/$(ARCH)/ ./'}
    """),
    apt("a source with a key", "sources:\n  a:\n    source: deb http://a.example.com/ x main\n    key: " + block(KEY, 6)),
    apt("a key that a source names", "sources:\n  a.list:\n    source: deb [signed-by=$KEY_FILE] http://a.example.com/ $RELEASE main\n"
                                     "    key: " + block(KEY, 6)),
    apt("a key alone", "sources:\n  a.b.list:\n    key: " + block(KEY, 6)),
    apt("a key by its id", """
        sources:
          a: {source: 'deb [signed-by=$KEY_FILE] http://a.example.com/ x main', keyid: CE1B7E7EB50EF043, keyserver: keys.example.com}
          b: {keyid: FB881D9BE7F1512837BB9CE3C3471B55E035C074}
    """),
    apt("a key that is none", "sources: {a: {source: deb http://a.example.com/ x main, key: nonsense}, b: {source: deb http://b.example.com/ x main}}"),
    apt("a repository by its name", "sources: {a: {source: 'ppa:ada/tools'}, b: {source: 'cloud-archive:x'}, c: {source: deb http://c.example.com/ x main}}"),
    apt("a repository by an expression", """
        add_apt_repo_match: '^own:'
        sources: {a: {source: 'own:tools'}, b: {source: 'ppa:ada/tools'}}
    """),
    apt("a repository without the tool", "sources: {a: {source: 'ppa:ada/tools'}}", prepare="rm /usr/local/bin/add-apt-repository\n"),
    apt("no sources", "sources: {}"),
    apt("second boot", "sources: {a: {source: deb http://a.example.com/ x main}}", boots=[{}, {}]),
    apt("a new instance", "sources: {a: {source: deb http://a.example.com/ x main}}", boots=[{}, {"instance": OTHER_INSTANCE}]),
    apt("bad entries beside good ones", """
        sources:
          a: {source: deb http://a.example.com/ x main}
          b: 'deb http://b.example.com/ x main'
          c: {source: 'deb http://c.example.com/$NOBODY x main'}
          d: {source: deb http://d.example.com/ x main}
    """),
    config("apt: the image's own sources", MADE, prepare=TOOLS),
    config("apt: an image that says nothing of it", "runcmd: [echo a >>/srv/order]", prepare=TOOLS + SILENT),
    config("apt: an image that says nothing of it, an empty mapping", "apt: {}", prepare=TOOLS + SILENT),
    config("apt: an image that says nothing of it, without a template", "apt: {conf: 'A \"b\";'}",
           prepare=TOOLS + SILENT + "rm /etc/cloud/templates/sources.list.*\n"),
    config("apt: Ubuntu on EC2", "runcmd: [echo a >>/srv/order]", image=UBUNTU, prepare=TOOLS + SILENT + NOBLE),
    config("apt: Ubuntu on EC2, whose mirror nobody knows", "apt: {disable_suites: [backports]}", image=UBUNTU,
           prepare=TOOLS + SILENT + NOBLE + "sed -i /10.0.0.9/d /etc/hosts\n"),
    config("apt: Ubuntu with a mirror of one's own and sources", """
apt:
  primary: [{arches: [default], uri: 'http://mirror.example.com/ubuntu'}]
  sources: {a: {source: 'deb $MIRROR $RELEASE-proposed main'}, b: {source: 'deb $SECURITY $RELEASE main'}}
""", image=UBUNTU, prepare=TOOLS + SILENT + NOBLE),
    apt("a mirror", "primary: [{arches: [default], uri: 'http://mirror.example.com/debian'}]", MADE),
    apt("mirrors by architecture", """
        primary:
          - {arches: [sparc], uri: 'http://sparc.example.com/debian'}
          - {arches: [amd64, arm64], uri: 'http://own.example.com/debian'}
          - {arches: [default], uri: 'http://default.example.com/debian'}
        security:
          - {arches: [default], uri: 'http://security.example.com/debian'}
    """, MADE),
    apt("a mirror for security alone", "security: [{arches: [default], uri: 'http://security.example.com/debian'}]", MADE),
    apt("a mirror that is looked for", """
        primary: [{arches: [default], search: ['http://nobody.invalid/debian', 'http://10.0.0.1/debian']}]
        security: [{arches: [default], search_dns: true}]
    """, MADE),
    apt("a mirror with a key", "primary:\n  - arches: [default]\n    uri: http://mirror.example.com/debian\n    key: " + block(KEY, 6), MADE),
    apt("sources_list in lines", """
        sources_list: |
          deb $MIRROR $RELEASE main
          deb-src $PRIMARY ${RELEASE} main
          deb $SECURITY $RELEASE-security main
    """, MADE),
    apt("sources_list in paragraphs", """
        sources_list: |
          Types: deb
          URIs: $MIRROR
          Suites: $RELEASE
          Components: main
    """, MADE),
    apt("sources_list as jinja", """
        sources_list: |
          ## template:jinja
          {% if codename == 'trixie' %}
          deb {{mirror}} {{codename}} main
          {% endif %}
          deb {{security}} {{RELEASE}}-security main
    """, MADE),
    apt("disable_suites", "disable_suites: [backports, $RELEASE-updates]", MADE),
    apt("disable_suites, none left", "disable_suites: [security]", MADE),
    apt("disable_suites in lines", """
        disable_suites: [updates, my-suite]
        sources_list: |
          # a comment
          deb $MIRROR $RELEASE main
          deb [ arch=amd64 lang=en ] $MIRROR $RELEASE-updates main
          deb http://a.example.com/ my-suite main
    """, MADE),
    apt("mirror lists", "generate_mirrorlists: true\nprimary: [{arches: [default], uri: 'http://mirror.example.com/debian'}]", MADE),
    apt("proxies", """
        proxy: http://all.example.com:3128
        http_proxy: http://plain.example.com:3128
        https_proxy: http://tls.example.com:3128
        ftp_proxy: ftp://ftp.example.com:21
    """),
    apt("conf", 'conf: |\n  APT {\n    Get { Assume-Yes "true"; };\n  };\n'),
    apt("proxies and conf of before", "", prepare="echo old >/etc/apt/apt.conf.d/90cloud-init-aptproxy\n"
                                                 "echo old >/etc/apt/apt.conf.d/94cloud-init-config\n"),
    apt("debconf_selections", """
        debconf_selections:
          b: mysql-server mysql-server/root_password password hunter2
          a: |
            # a comment
            nosuch nosuch/question string value
    """),
    apt("debconf_selections of what is installed", "debconf_selections: {a: 'openssh-server openssh-server/x boolean true'}"),
    config("apt: old keys", """
apt_mirror: http://mirror.example.com/debian
apt_http_proxy: http://plain.example.com:3128
apt_sources:
  - source: deb http://a.example.com/ $RELEASE main
  - {source: deb http://b.example.com/ x main, filename: b.list}
""", prepare=TOOLS + SILENT),
    config("apt: old keys for proxies", "apt_ftp_proxy: ftp://ftp.example.com:21\napt_https_proxy: http://tls.example.com:3128\n"
                                        "apt_preserve_sources_list: true", prepare=TOOLS + SILENT),
    config("apt: old keys beside it", "apt_mirror: http://mirror.example.com/debian\napt_proxy: http://all.example.com:3128", prepare=TOOLS),
    config("apt: a list", "apt: [a]", prepare=TOOLS + SILENT),
    config("apt_pipelining: false", "apt_pipelining: false"),
    config("apt_pipelining: a number", "apt_pipelining: 3"),
    config("apt_pipelining: os", "apt_pipelining: os"),
    config("apt_pipelining: out of range", "apt_pipelining: 9"),
    config("grub_dpkg", "grub_dpkg: {enabled: true}", prepare=TOOLS),
    config("grub_dpkg: a disk", "grub_dpkg: {enabled: true, grub-pc/install_devices: /dev/sda, grub-pc/install_devices_empty: false}",
           prepare=TOOLS),
    config("grub_dpkg: the old name", "grub-dpkg: {enabled: true, grub-pc/install_devices_empty: 'yes'}", prepare=TOOLS),
    config("grub_dpkg: without enabled", "grub_dpkg: {grub-pc/install_devices: /dev/sda}", prepare=TOOLS),
    config("byobu_by_default: enable-system", "byobu_by_default: enable-system", prepare=TOOLS),
    config("byobu_by_default: user", "byobu_by_default: user", prepare=TOOLS),
    config("byobu_by_default: disable", "byobu_by_default: disable", prepare=TOOLS),
    config("byobu_by_default: another word", "byobu_by_default: sometimes", prepare=TOOLS),
    config("byobu_by_default: byobu is not there", "byobu_by_default: system", prepare=TOOLS + "rm /usr/local/bin/byobu\n"),
]

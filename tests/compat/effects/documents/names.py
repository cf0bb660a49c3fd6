"""The machine's name and /etc/hosts."""

from launch import INSTANCE, OTHER_INSTANCE, config

BY_HAND = {"before": "echo by-hand >/etc/hostname"}

DOCUMENTS = [
    config("hostname", "hostname: web-1"),
    config("hostname with a dot", "hostname: web-1.example.com"),
    config("fqdn", "fqdn: web-1.example.com"),
    config("hostname and fqdn", "hostname: web-1\nfqdn: other.example.com"),
    config("prefer_fqdn_over_hostname", "fqdn: web-1.example.com\nprefer_fqdn_over_hostname: true"),
    config("prefer_fqdn_over_hostname: false", "fqdn: web-1.example.com\nprefer_fqdn_over_hostname: false"),
    config("prefer_fqdn_over_hostname, by the metadata", "prefer_fqdn_over_hostname: true"),
    config("preserve_hostname", "preserve_hostname: true\nhostname: web-1", prepare="echo image >/etc/hostname"),
    config("create_hostname_file: false", "create_hostname_file: false\nhostname: web-1"),
    config("create_hostname_file: false, with a file", "create_hostname_file: false\nhostname: web-1",
           prepare="echo image >/etc/hostname"),
    config("manage_etc_hosts", "manage_etc_hosts: true\nfqdn: web-1.example.com"),
    config("manage_etc_hosts: localhost", "manage_etc_hosts: localhost\nfqdn: web-1.example.com"),
    config("manage_etc_hosts: localhost, with a line for it", "manage_etc_hosts: localhost\nfqdn: web-1.example.com",
           prepare="echo '127.0.1.1 old.example.com old' >>/etc/hosts"),
    config("manage_etc_hosts: template", "manage_etc_hosts: template\nhostname: web-1"),
    config("manage_etc_hosts: false", "manage_etc_hosts: false\nhostname: web-1"),
    config("manage_etc_hosts: the image's own template", "manage_etc_hosts: true\nfqdn: web-1.example.com", prepare="""
printf '## template:jinja\\n127.0.1.1 {{fqdn}} {{hostname}}\\n10.0.0.1 db\\n' >/etc/cloud/templates/hosts.debian.tmpl
"""),
    config("manage_etc_hosts: each boot", "manage_etc_hosts: true\nfqdn: web-1.example.com",
           boots=[{}, {"before": "echo '10.0.0.1 db' >>/etc/hosts"}]),
    config("hostname: the second boot keeps one given by hand", "hostname: web-1", boots=[{}, BY_HAND]),
    config("hostname: the second boot of one by metadata", "", boots=[{}, BY_HAND, {}]),
    config("hostname: the second boot changes nothing", "hostname: web-1", boots=[{}, {}]),
    config("hostname: a new instance", "fqdn: web-1.example.com", boots=[
        {"instance": INSTANCE},
        {"instance": OTHER_INSTANCE, "user_data": "#cloud-config\nfqdn: web-2.example.com\n"}]),
    config("hostname: given by hand, then a new instance", "", boots=[
        {"instance": INSTANCE}, {"instance": OTHER_INSTANCE, **BY_HAND}]),
    config("hostname: the image has one", "hostname: web-1", prepare="echo image >/etc/hostname"),
    config("hostname: one that is none", "hostname: 'not a name!'"),
]

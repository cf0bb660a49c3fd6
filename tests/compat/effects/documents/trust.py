"""Certificates, the clock, entropy, the keyboard, messages, tunnels, and who is told of the machine."""

from launch import ALL_TYPES, config

CERTIFICATE = """-----BEGIN CERTIFICATE-----
      MIIBdDCCARmgAwIBAgIUFirstlightExampleNotARealCertificateAAAA
      -----END CERTIFICATE-----"""
# The real one takes long on a busy machine; tests/trust.rs runs it.
COLLECTOR = ("printf '#!/bin/sh\\necho update-ca-certificates >>/run/calls\\n' >/usr/local/sbin/update-ca-certificates\n"
             "chmod 0755 /usr/local/sbin/update-ca-certificates")
CHRONY = "printf '#!/bin/sh\\n' >/usr/sbin/chronyd; chmod 0755 /usr/sbin/chronyd; mkdir -p /etc/chrony"
TIMESYNCD = ("mkdir -p /usr/lib/systemd; printf '#!/bin/sh\\n' >/usr/lib/systemd/systemd-timesyncd\n"
             "chmod 0755 /usr/lib/systemd/systemd-timesyncd")
# Says on the disk what is sent to it, and ends after so many requests.
LISTENER = """
import http.server, sys, urllib.parse

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        sent = urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode())
        with open("/srv/sent", "a") as out:
            print(self.path, self.headers["Content-Type"], file=out)
            for name, value in sent:
                print(name, value.split()[0] if name.startswith("pub_key") else value, file=out)
        self.send_response(int(sys.argv.pop()) if len(sys.argv) > 1 else 200)
        self.end_headers()

server = http.server.HTTPServer(("127.0.0.1", 8080), Handler)
for _ in range(len(sys.argv)):
    server.handle_request()
"""
LISTEN = "bootcmd: [[sh, -c, 'python3 /srv/listener %s </dev/null >/dev/null 2>&1 &']]\n"
# Tools that reach beyond the root: each says that it was called.
TUNNELS = """
for tool in wg lsmod modprobe; do
    printf '#!/bin/sh\\necho "%s $*" >>/run/calls\\necho wireguard\\n' "$tool" >/usr/local/bin/$tool
    chmod 0755 /usr/local/bin/$tool
done
mkdir -p /sys/module/wireguard
"""


def phone(name, text, answers=""):
    prepare = "cat >/srv/listener <<'LISTENER'\n%s\nLISTENER\n" % LISTENER
    return config("phone_home: " + name, LISTEN % answers + text, image=ALL_TYPES, prepare=prepare)


DOCUMENTS = [
    config("ca_certs: two certificates", f"""
ca_certs:
  trusted:
    - |
      {CERTIFICATE}
    - |
      {CERTIFICATE}
""", prepare=COLLECTOR),
    config("ca_certs: none of the distribution's own", f"""
ca_certs:
  remove_defaults: true
  trusted:
    - |
      {CERTIFICATE}
""", prepare=COLLECTOR),
    config("ca_certs: the old spelling", "ca-certs: {remove-defaults: true}", prepare=COLLECTOR),
    config("ca_certs: one text in place of a list", f"""
ca_certs:
  trusted: |
      {CERTIFICATE}
""", prepare=COLLECTOR),
    config("ntp: nothing said, nothing there", "ntp: {}"),
    config("ntp: chrony is there", """
ntp:
  enabled: true
  pools: [0.pool.example.com, 1.pool.example.com]
  servers: [ntp.example.com, 10.0.0.1]
  peers: [km001, km002]
  allow: [10.0.0.0/8]
""", prepare=CHRONY + "; echo 'pool 2.debian.pool.ntp.org iburst' >/etc/chrony/chrony.conf"),
    config("ntp: the default pool", "ntp: {ntp_client: chrony}", prepare=CHRONY),
    config("ntp: systemd-timesyncd is there", "ntp: {servers: [a.example.com], pools: [b.example.com]}", prepare=TIMESYNCD),
    config("ntp: ntp by name", "ntp: {ntp_client: ntp, servers: [a.example.com], peers: [b.example.com]}"),
    config("ntp: off", "ntp: {enabled: false, servers: [a.example.com]}"),
    config("ntp: a client of one's own", """
ntp:
  enabled: true
  ntp_client: myntpclient
  servers: [a.example.com]
  config:
    confpath: /etc/myntpclient/myntpclient.conf
    check_exe: myntpclientd
    packages: [myntpclient]
    service_name: myntpclient
    template: |
      ## template:jinja
      # My NTP Client config
      {% if pools -%}# pools{% endif %}
      {% for pool in pools -%}
      pool {{pool}} iburst
      {% endfor %}
      {%- if servers %}# servers
      {% endif %}
      {% for server in servers -%}
      server {{server}} iburst
      {% endfor %}
"""),
    config("ntp: one that nobody knows", "ntp: {ntp_client: sundial}"),
    config("ntp: a template without jinja", """
ntp:
  ntp_client: chrony
  config: {template: "# all of it\\n"}
""", prepare=CHRONY),
    config("random_seed: base64, for a file", "random_seed: {file: /srv/seed, data: c2VlZA==, encoding: b64}",
           prepare="printf before >/srv/seed; chmod 0600 /srv/seed"),
    config("random_seed: for the kernel", "random_seed: {data: abc}"),
    config("random_seed: a command", "random_seed: {file: /srv/seed, command: [sh, -c, 'echo $RANDOM_SEED_FILE >/srv/command']}"),
    config("random_seed: a command that is not there", "random_seed: {command: [nosuch], command_required: true}"),
    config("random_seed: a command that need not be there", "random_seed: {command: [nosuch]}"),
    config("keyboard", "keyboard: {layout: de, model: pc104, variant: nodeadkeys, options: 'ctrl:nocaps'}",
           prepare="mkdir -p /usr/lib/systemd/system; : >/usr/lib/systemd/system/console-setup.service"),
    config("keyboard: a layout alone", "keyboard: {layout: us}",
           prepare="mkdir -p /usr/lib/systemd/system; : >/usr/lib/systemd/system/console-setup.service"),
    config("keyboard: no layout", "keyboard: {model: pc105}"),
    config("rsyslog: all of it", """
rsyslog:
  config_dir: /etc/rsyslog-d
  config_filename: 99-late-cloud-config.conf
  configs:
    - '*.* @@192.158.1.1'
    - content: '*.* @@192.0.2.1:10514'
      filename: 01-example.conf
    - content: |
        *.*   @@syslogd.example.com
    - {content: '# last', filename: 01-example.conf}
  remotes:
    maas: 192.168.1.1
    juju: '*.* @@[2001:db8::1]:10514'
    none:
  install_rsyslog: true
  packages: [rsyslog, rsyslog-gnutls]
"""),
    config("rsyslog: remotes alone", "rsyslog: {remotes: {logs: 'auth.* @logs.example.com # of the team'}}"),
    config("rsyslog: remotes in another order than that of their names", "rsyslog: {remotes: {web: 10.0.0.1, db: 10.0.0.2}}"),
    config("rsyslog: a command of one's own", "rsyslog: {configs: ['*.* /srv/all'], service_reload_command: [touch, /srv/reloaded]}"),
    config("rsyslog: the old list", "rsyslog: ['*.* /srv/all', {content: b, filename: c.conf}]"),
    config("rsyslog: bad entries beside good ones", """
rsyslog:
  configs: [{filename: a.conf}, '*.* /srv/all']
  remotes: {bad: a b c, worse: '2001:db8::1', good: logs}
"""),
    phone("all", "phone_home: {url: 'http://127.0.0.1:8080/$INSTANCE_ID/?key=a', post: all, tries: 4}"),
    phone("some", "phone_home: {url: 'http://127.0.0.1:8080/x', post: [instance_id, fqdn, pub_key_ed25519], tries: 4}"),
    phone("the second try", "phone_home: {url: 'http://127.0.0.1:8080/x', post: [hostname], tries: 4}", "503"),
    phone("something that there is not", "phone_home: {url: 'http://127.0.0.1:8080/x', post: [hostname, nosuch], tries: 4}"),
    config("phone_home: nobody is there", "phone_home: {url: 'http://127.0.0.1:8080/x', post: [hostname], tries: 1}",
           boots=[{}, {}]),
    config("phone_home: no url", "phone_home: {post: all, tries: 1}"),
    config("wireguard", """
wireguard:
  interfaces:
    - name: wg0
      config_path: /etc/wireguard/wg0.conf
      content: |
        [Interface]
        PrivateKey = hunter2
  readinessprobe: [echo ready >/srv/ready]
""", image="cloud_config_modules: [wireguard]\nunverified_modules: [wireguard]\n", prepare=TUNNELS),
]

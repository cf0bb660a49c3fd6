"""Configuration managers: what is installed, what they are told, and how they are called.

Their tools stand in for themselves: each writes into /srv/tools who called it, where and with what.
"""

from launch import config

PACKAGES = ["ansible", "chef", "git", "mcollective", "puppet", "puppet-agent", "python3-pip", "ruby3.3", "ruby3.3-dev",
            "salt-minion"]


def image(*tools, packages=PACKAGES, more=""):
    """A script that makes an image with these tools, and with repositories that have these packages."""
    lines = [
        "cat >/usr/bin/apt-cache <<'END'",
        "#!/bin/sh",
        "for name in %s; do echo $name; done" % " ".join(packages),
        "END",
        ": >/srv/tools; chmod 666 /srv/tools",
        "cat >/srv/tool <<'END'",
        "#!/bin/sh",
        "case \"${0##*/} $*\" in",
        "'puppet config print config') echo /etc/puppet/puppet.conf; exit ;;",
        "'puppet config print ssldir') echo /var/lib/puppet/ssl; exit ;;",
        "'puppet config print csr_attributes') echo /etc/puppet/csr_attributes.yaml; exit ;;",
        "'ansible-pull --version') echo ansible-pull 2.14.3; exit ;;",
        "esac",
        "echo \"$(id -un) $PWD ${ANSIBLE_CONFIG:--} ${0##*/} $*\" >>/srv/tools",
        "END",
        "chmod 755 /srv/tool",
    ]
    lines += ["cp /srv/tool /usr/bin/%s" % tool for tool in tools]
    return "\n".join([*lines, more, ""])


# Answers one request for a file, or none in a minute.
SERVE = """
cd /
python3 -c '
from http.server import HTTPServer, SimpleHTTPRequestHandler
server = HTTPServer(("127.0.0.1", 8000), SimpleHTTPRequestHandler)
server.timeout = 60
server.handle_request()' &
"""
MINION = image("salt-call", more="mkdir -p /etc/salt/pki/minion")
PUPPET_FILES = """
useradd --system puppet
mkdir -p /etc/puppet /var/lib/puppet
printf '[main]\\nssldir = /var/lib/puppet/ssl\\n\\n[agent]\\nserver = puppet\\n' >/etc/puppet/puppet.conf
"""
PUPPET = image("puppet", more=PUPPET_FILES)
CHEF = "server_url: https://chef.example.com, validation_name: yourorg-validator"
# Debian's own list leaves it out.
LISTED = "cloud_final_modules: [ansible]\n"
ANSIBLE = image("ansible", "ansible-pull", "ansible-galaxy", "ansible-playbook", "git")
# A pip that installs nothing, and remembers what it was asked for.
PIP = """
cp /srv/tool /usr/bin/pip3
mkdir -p /usr/lib/python3/dist-packages/pip
: >/usr/lib/python3/dist-packages/pip/__init__.py
: >/srv/has; chmod 666 /srv/has
cat >/usr/lib/python3/dist-packages/pip/__main__.py <<'END'
import getpass, sys
words = [word for word in sys.argv[1:] if word != "--break-system-packages"]
if words[0] == "list":
    print(open("/srv/has").read())
else:
    open("/srv/has", "a").write(words[-1] + "\\n")
    open("/srv/tools", "a").write("%s pip %s\\n" % (getpass.getuser(), " ".join(words)))
END
"""

DOCUMENTS = [
    config("salt_minion", """
salt_minion:
  conf: {master: salt.example.com, log_level: info, fileserver_backend: [git, roots]}
  grains: {role: [web, cache], rack: 7, spare: true}
""", prepare=MINION),
    config("salt_minion: nothing but its name", "salt_minion: {}", prepare=MINION),
    config("salt_minion: keys", """
salt_minion:
  public_key: |
    -----BEGIN PUBLIC KEY-----
    MIIB
    -----END PUBLIC KEY-----
  private_key: |
    -----BEGIN RSA PRIVATE KEY-----
    MIIB
    -----END RSA PRIVATE KEY-----
""", prepare=MINION),
    config("salt_minion: other names and places", """
salt_minion: {pkg_name: git, service_name: minion, config_dir: /srv/salt, conf: {master: a}, public_key: a, private_key: b, pki_dir: /srv/pki}
""", prepare=MINION),
    config("salt_minion: without a master", "salt_minion: {conf: {file_client: local, id: web}}", prepare=MINION),
    config("salt_minion: a package that is not there", "salt_minion: {pkg_name: nosuch}", prepare=MINION),
    config("salt_minion: second boot", "salt_minion: {conf: {master: a}}", prepare=MINION, boots=[{}, {}]),
    config("mcollective", "mcollective: {conf: {plugin.stomp.host: dbhost, plugin.stomp.port: 6163, daemonize: 1}}",
           prepare=image()),
    config("mcollective: without a configuration", "mcollective: {}", prepare=image()),
    config("mcollective: certificates beside what is there", """
mcollective:
  conf:
    public-cert: |
      -----BEGIN CERTIFICATE-----
      MIIB
    private-cert: |
      -----BEGIN PRIVATE KEY-----
      MIIB
    libdir: /srv/mcollective
""", prepare=image(more="""
mkdir -p /etc/mcollective
printf '# as packaged\\nlibdir = /usr/share/mcollective\\n\\n# log\\nloglevel = info\\n' >/etc/mcollective/server.cfg
""")),
    config("puppet", """
puppet:
  conf:
    agent: {server: puppetserver.example.org, certname: '%i', splay: 'true'}
    user: {color: ansi}
""", prepare=PUPPET),
    config("puppet: a certificate and attributes", """
puppet:
  conf:
    agent: {server: puppetserver.example.org}
    ca_cert: |
      -----BEGIN CERTIFICATE-----
      MIIB
      -----END CERTIFICATE-----
  csr_attributes:
    custom_attributes: {1.2.840.113549.1.9.7: 342thbjkt82094y0uthhor289jnqthpc2290}
    extension_requests: {pp_uuid: ED803750-E3C7-44F5-BB08-41A04433FE2E, pp_image_name: my_ami_image}
""", prepare=PUPPET),
    config("puppet: a version", "puppet: {version: '7.23.0', start_service: false}", prepare=PUPPET),
    config("puppet: a package of another name", "puppet: {package_name: git, start_service: false}", prepare=PUPPET),
    config("puppet: only the old package is there", "puppet: {start_service: false}", prepare=PUPPET.replace(" puppet-agent", "")),
    config("puppet: a run", "puppet: {install: false, exec: true}", prepare=PUPPET),
    config("puppet: a run with arguments", "puppet: {install: false, exec: true, exec_args: [--onetime, --no-daemonize, --tags, 'a b']}",
           prepare=PUPPET),
    config("puppet: a certificate's name", "hostname: Web-1\nfqdn: Web-1.example.org\nmanage_etc_hosts: true\n"
           "puppet: {conf: {agent: {certname: '%i.%f'}}}", prepare=PUPPET),
    config("puppet: its own installer", """
puppet:
  install_type: aio
  aio_install_url: http://127.0.0.1:8000/srv/tool
  version: 8.4.0
  collection: puppet8
  conf_file: /etc/puppetlabs/puppet/puppet.conf
  conf: {main: {server: a}}
""", prepare=PUPPET + SERVE + "mkdir -p /opt/puppetlabs/bin /etc/puppetlabs/puppet\n"
           "cp /srv/tool /opt/puppetlabs/bin/puppet; : >/etc/puppetlabs/puppet/puppet.conf"),
    config("puppet: an install type that is none", "puppet: {install_type: nosuch, exec: true}", prepare=PUPPET),
    config("chef", """
chef:
  directories: [/etc/chef, /var/log/chef, /var/lib/chef, /var/cache/chef, /var/backups/chef, /var/run/chef]
  validation_cert: |
    -----BEGIN RSA PRIVATE KEY-----
    MIIB
    -----END RSA PRIVATE KEY-----
  server_url: https://chef.yourorg.com/
  node_name: your-node-name
  environment: production
  validation_name: yourorg-validator
  run_list: ['recipe[apache2]', 'role[db]']
  initial_attributes:
    apache: {prefork: {maxclients: 100}, keepalive: 'off'}
""", prepare=image("chef-client")),
    config("chef: a package", "chef: {%s, exec: false}" % CHEF, prepare=image()),
    config("chef: a run", "chef: {%s, exec: true}" % CHEF, prepare=image("chef-client")),
    config("chef: a run with arguments, and no key afterwards", """
chef: {%s, validation_cert: MIIB, exec: true, exec_arguments: [--once, -l, debug], delete_validation_post_exec: true}
""" % CHEF, prepare=image("chef-client")),
    config("chef: lines of client.rb", """
chef:
  server_url: https://chef.example.com
  validation_name: v
  validation_key: /srv/chef/validation.pem
  validation_cert: system
  client_key: /srv/chef/client.pem
  log_level: ':debug'
  ssl_verify_mode: ':verify_peer'
  show_time: false
  pid_file: null
  chef_license: accept
  encrypted_data_bag_secret: /srv/secrets/data_bag
  config_path: /srv/chef/client.rb
  firstboot_path: ''
""", prepare=image("chef-client", more="mkdir -p /srv/chef; : >/srv/chef/validation.pem")),
    config("chef: its own installer", "chef: {%s, install_type: omnibus, omnibus_url: 'http://127.0.0.1:8000/srv/tool', "
           "omnibus_version: '18.2.7'}" % CHEF, prepare=image(more=SERVE)),
    config("chef: gems", "chef: {%s, install_type: gems, ruby_version: '3.3', version: 18.2.7, exec: false}" % CHEF,
           prepare=image("gem3.3", "ruby3.3")),
    config("chef: without a server", "chef: {validation_name: v, exec: true}", prepare=image("chef-client")),
    config("chef: an install type that is none", "chef: {%s, install_type: nosuch}" % CHEF, prepare=image()),
    config("chef: each boot", "chef: {%s, exec: true}" % CHEF, prepare=image("chef-client"), boots=[{}, {}]),
    config("ansible: a pull", """
ansible:
  install_method: distro
  package_name: ansible
  ansible_config: /etc/ansible/my.cfg
  galaxy:
    actions:
      - [ansible-galaxy, collection, install, community.grafana]
  pull:
    url: https://github.com/holmanb/vmboot.git
    playbook_name: ubuntu.yml
    accept_host_key: true
    clean: true
    full: false
    checkout: main
    connection: local
    inventory: hosts
    module_path: /srv/modules
    private_key: /srv/key
    skip_tags: slow
    ssh_common_args: -4
    tags: web
    timeout: '60'
    vault_id: dev
    vault_password_file: /srv/vault
""", image=LISTED, prepare=ANSIBLE),
    config("ansible: a pull of a user", """
ansible:
  install_method: distro
  package_name: ansible
  run_user: debian
  pull: {url: 'https://github.com/holmanb/vmboot.git', playbook_name: ubuntu.yml}
""", image=LISTED, prepare=ANSIBLE),
    config("ansible: a controller", """
ansible:
  install_method: distro
  package_name: ansible
  setup_controller:
    repositories:
      - {path: /srv/playbooks, source: 'https://github.com/holmanb/playbooks.git'}
    run_ansible:
      - {playbook_dir: /srv, playbook_name: start.yml, inventory: hosts, forks: 3, private_key: /srv/key}
      - {playbook_dir: /home, playbook_name: more.yml, vault_password_file: /srv/vault}
""", image=LISTED, prepare=ANSIBLE),
    config("ansible: a controller of a user", """
ansible:
  install_method: distro
  package_name: ansible
  run_user: debian
  setup_controller:
    repositories: [{path: /home/debian/playbooks, source: 'https://github.com/holmanb/playbooks.git'}]
    run_ansible: [{playbook_dir: /home/debian, playbook_name: start.yml}]
""", image=LISTED, prepare=ANSIBLE),
    config("ansible: a switch of a playbook", """
ansible:
  install_method: distro
  package_name: ansible
  setup_controller: {run_ansible: [{playbook_dir: /srv, playbook_name: start.yml, check: true, diff: false}]}
""", image=LISTED, prepare=ANSIBLE),
    config("ansible: it is not there", """
ansible: {install_method: distro, package_name: ansible, pull: {url: a, playbook_name: b}}
""", image=LISTED, prepare=image(packages=["git"])),
    config("ansible: a package", "ansible: {install_method: distro, package_name: ansible}", image=LISTED, prepare=image(
        packages=["ansible"])),
    config("ansible: pip", """
ansible: {install_method: pip, package_name: ansible-core, pull: {url: a, playbook_name: b}}
""", image=LISTED, prepare=ANSIBLE.replace("/usr/bin/ansible-pull", "/opt/ansible-pull") + PIP),
    config("ansible: pip for a user", """
ansible: {install_method: pip, package_name: ansible, run_user: debian, pull: {url: a, playbook_name: b}}
""", image=LISTED, prepare=ANSIBLE + PIP),
    config("ansible: without what its schema does not ask for", "ansible: {pull: {url: a, playbook_name: b}}", image=LISTED, prepare=ANSIBLE),
    config("ansible: a pull without a playbook", """
ansible: {install_method: distro, package_name: ansible, pull: {url: a}}
""", image=LISTED, prepare=ANSIBLE),
    config("ansible: second boot", """
ansible: {install_method: distro, package_name: ansible, pull: {url: a, playbook_name: b}}
""", image=LISTED, prepare=ANSIBLE, boots=[{}, {}]),
    config("managers: four of them, in cloud-init's order", """
runcmd: [echo runcmd >>/srv/tools]
salt_minion: {conf: {file_client: local}}
mcollective: {conf: {main_collective: a}}
chef: {%s, exec: true}
puppet: {exec: true, conf: {agent: {server: a}}}
packages: [git]
""" % CHEF, prepare=image("puppet", "chef-client", "salt-call", more=PUPPET_FILES)),
    config("salt_minion: several masters and nested grains", """
salt_minion:
  conf:
    master: [salt-1.example.com, salt-2.example.com]
    master_type: failover
    schedule: {highstate: {function: state.highstate, minutes: 30}}
    beacons: {load: [{averages: {1m: [0.0, 2.0]}}]}
  grains: {ec2: {tags: {Name: web-1, 'aws:autoscaling': 'yes'}}, when: 2024-01-31, spare: false}
""", prepare=MINION),
    config("salt_minion: a key without the other one", "salt_minion: {public_key: a}", prepare=MINION),
    config("puppet: numbers and a new section", "puppet: {conf: {main: {http_read_timeout: 600, environment: '10'}, server: {autosign: 'true'}}}",
           prepare=PUPPET),
    config("puppet: arguments as one text", "puppet: {install: false, exec: true, exec_args: --onetime --no-daemonize}", prepare=PUPPET),
    config("puppet: off", "puppet: {install: false, start_service: false}", prepare=PUPPET),
    config("chef: an image without a template", "chef: {%s}" % CHEF, prepare=image(
        "chef-client", more="rm /etc/cloud/templates/chef_client.rb.tmpl")),
    config("puppet: a configuration that is a text",
           'puppet: {install: false, exec: true, conf: "[agent]\\nserver = p.example.org\\n"}', prepare=PUPPET),
    config("puppet: a password", "puppet: {conf: {agent: {http_proxy_password: hunter2}}, start_service: false}", prepare=PUPPET),
    config("salt_minion: a configuration that is a text", 'salt_minion: {conf: "master: salt.example.com\\n"}', prepare=MINION),
    config("salt_minion: a password", "salt_minion: {conf: {master: a, mysql.pass: hunter2}}", prepare=MINION),
    config("mcollective: a configuration that is a text", "mcollective: {conf: 'loglevel: debug'}", prepare=image()),
    config("chef: a key that is no text", "chef: {%s, exec: true, validation_cert: [a]}" % CHEF, prepare=image("chef-client")),
    config("ansible: options that cloud-init does not name", """
ansible:
  install_method: distro
  package_name: ansible
  setup_controller:
    run_ansible: [{playbook_dir: /srv, playbook_name: start.yml, become_user: root, limit: all}]
""", image=LISTED, prepare=ANSIBLE),
    config("field: a node of Chef as a launch template has it", """
package_update: true
packages: [git, jq]
write_files: [{path: /etc/chef/ohai/hints/ec2.json, content: '{}'}]
chef:
  install_type: packages
  force_install: false
  server_url: https://chef.example.com/organizations/web
  node_name: web-1
  environment: production
  validation_name: web-validator
  validation_cert: |
    -----BEGIN RSA PRIVATE KEY-----
    MIIB
    -----END RSA PRIVATE KEY-----
  run_list: ['role[web]']
  ssl_verify_mode: ':verify_peer'
  exec: true
  chef_license: accept-silent
runcmd: [echo after >>/srv/tools]
""", prepare=image("chef-client", packages=[*PACKAGES, "jq"])),
]

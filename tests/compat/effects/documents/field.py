"""Documents as people write them."""

from launch import case, config, multipart

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA deploy"

DOCUMENTS = [
    config("field: a web server", """
package_update: true
package_upgrade: true
packages:
  - nginx
  - git
  - curl
write_files:
  - path: /etc/nginx/conf.d/site.conf
    permissions: '0644'
    content: |
      server {
        listen 80;
        root /srv/site;
      }
  - path: /usr/local/bin/deploy
    permissions: '0755'
    owner: root:root
    content: |
      #!/bin/bash
      set -e
      git -C /srv/site pull
runcmd:
  - mkdir -p /srv/site
  - echo '<h1>It works</h1>' >/srv/site/index.html
  - chown -R www-data:www-data /srv/site
  - systemctl enable --now nginx
final_message: "The system is up after $UPTIME seconds"
"""),
    config("field: a docker host", f"""
groups:
  - docker
users:
  - default
  - name: dev
    groups: [sudo, docker]
    shell: /bin/bash
    sudo: ['ALL=(ALL) NOPASSWD:ALL']
    lock_passwd: true
    ssh_authorized_keys:
      - {KEY}
packages: [docker.io]
write_files:
  - path: /etc/docker/daemon.json
    content: '{{"log-driver": "json-file", "log-opts": {{"max-size": "10m"}}}}'
  - path: /etc/systemd/system/app.service
    content: |
      [Unit]
      After=docker.service
      [Service]
      ExecStart=/usr/bin/docker run --rm -p 80:80 app
      [Install]
      WantedBy=multi-user.target
runcmd:
  - [systemctl, daemon-reload]
  - [systemctl, enable, --now, docker.service]
  - [systemctl, start, app.service]
  - usermod -aG docker debian
"""),
    config("field: a node of kubernetes", """
hostname: node-1
fqdn: node-1.cluster.example.com
manage_etc_hosts: true
write_files:
  - path: /etc/modules-load.d/k8s.conf
    content: |
      overlay
      br_netfilter
  - path: /etc/sysctl.d/k8s.conf
    content: |
      net.bridge.bridge-nf-call-iptables = 1
      net.ipv4.ip_forward = 1
  - path: /etc/kubernetes/token
    permissions: '0600'
    encoding: b64
    content: c2VjcmV0LXRva2Vu
bootcmd:
  - [sh, -c, 'echo "swap off" >>/srv/order']
runcmd:
  - swapoff -a || true
  - sed -i '/ swap / s/^/#/' /etc/fstab
  - test "$(cat /etc/kubernetes/token)" = secret-token && echo joined >>/srv/order
"""),
    config("field: a team with passwords", f"""
ssh_pwauth: true
disable_root: true
timezone: Europe/Paris
locale: C.UTF-8
groups: [developers, {{operators: [games]}}]
users:
  - default
  - name: anna
    gecos: Anna A.
    primary_group: developers
    groups: users, operators
    lock_passwd: false
    plain_text_passwd: changeme
    shell: /bin/bash
  - name: ci
    homedir: /var/lib/ci
    sudo: 'ALL=(ALL) NOPASSWD: /usr/bin/systemctl restart app'
    ssh_authorized_keys: ['{KEY}']
chpasswd:
  expire: true
  users:
    - {{name: anna, password: changeme2, type: text}}
""", passwords=["changeme", "changeme2"]),
    case("field: a script as most of EC2's user data", """#!/bin/bash -xe
exec > >(tee /var/log/user-data.log) 2>&1
apt-get update -y
apt-get install -y nginx
INSTANCE=$(cat /var/lib/cloud/data/instance-id 2>/dev/null || echo unknown)
cat <<'PAGE' >/srv/index.html
<h1>Hello</h1>
PAGE
systemctl enable nginx
systemctl restart nginx
useradd -m app
echo 'APP_ENV=production' >>/etc/environment
"""),
    case("field: an ECS or EKS node's multipart", multipart(
        ("text/x-shellscript; charset=\"us-ascii\"", "#!/bin/bash\necho ECS_CLUSTER=production >>/etc/ecs.config\n"),
        ("text/cloud-config; charset=\"us-ascii\"",
         "#cloud-config\nwrite_files:\n  - path: /etc/app.env\n    content: A=1\nrepo_update: true\n"),
    )),
    config("field: terraform's first instance", f"""
# Managed by Terraform
preserve_hostname: false
hostname: bastion
package_upgrade: false
ssh_authorized_keys:
  - {KEY}
ssh_deletekeys: true
ssh_genkeytypes: [rsa, ed25519]
runcmd:
  - |
    set -e
    install -d -m 0755 /opt/app
    printf '%s\\n' "ready" >/opt/app/state
  - [chmod, '0600', /opt/app/state]
power_state:
  mode: reboot
  delay: now
  message: First boot is over
  condition: true
"""),
    config("field: an all-in-one with many mistakes", """
packages_update: true
hostname: box
user:
  - name: admin
users:
  - name: admin
    ssh-authorized-keys: []
    sudo: ALL=(ALL:ALL) NOPASSWD:ALL
    groups: sudo
run_cmd: [echo never]
runcmd:
  - echo a >>/srv/order
write_files:
  - path: /etc/motd
    content: hi
    permission: '0600'
"""),
]

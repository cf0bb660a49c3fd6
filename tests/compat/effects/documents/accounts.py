"""Users, groups, sudo and passwords."""

from launch import ALL_TYPES, INSTANCE, OTHER_INSTANCE, case, config

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA deploy"
OTHER_KEY = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDexampleexampleexampleexampleexampleexampleexample ops@laptop"
# mkpasswd --method=sha512crypt --salt=example0 secret1
HASH = "$6$example0$0nRA1qJZ0lTLQKyS0yDpU9pAsUoKOyVn0VxvjbMvnPjl0IB0k9eLxTUlB8oMBX4oDb/u5ICXc4C3q9kHhJ7qM1"

DOCUMENTS = [
    case("no user data", image=ALL_TYPES),
    case("no user data, no launch key", keys=()),
    case("two launch keys", keys=(KEY, OTHER_KEY)),
    config("users: a user beside the default one", f"""
users:
  - default
  - name: deploy
    gecos: Deployment of sites
    shell: /bin/bash
    groups: [adm, www-data]
    sudo: ALL=(ALL) NOPASSWD:ALL
    ssh_authorized_keys: ['{KEY}']
"""),
    config("users: without default there is no default user", f"""
users:
  - name: deploy
    ssh_authorized_keys: ['{KEY}']
"""),
    config("users: an empty list makes nobody", "users: []"),
    config("users: null", "users:"),
    config("users: names only", "users: [default, alice, bob]"),
    config("users: one text with commas", "users: default, alice"),
    config("users: a mapping of names", """
users:
  default: true
  alice: {shell: /bin/sh}
  bob: false
"""),
    config("users: keys with hyphens", f"""
users:
  - default
  - name: deploy
    primary-group: users
    lock-passwd: true
    no-create-home: false
    ssh-authorized-keys: ['{KEY}', '{OTHER_KEY}']
"""),
    config("users: home, uid and primary group", """
users:
  - default
  - {name: deploy, uid: 1500, homedir: /srv/deploy, primary_group: games}
  - {name: other, uid: '1600', primary_group: users, no_user_group: true}
  - {name: third, primary_group: deployers, groups: [adm]}
"""),
    config("users: a primary group that is not there", """
users:
  - default
  - {name: one, primary_group: deployers}
  - {name: two}
"""),
    config("users: a system user, no home, no log", """
users:
  - default
  - {name: daemon-x, system: true, shell: /usr/sbin/nologin}
  - {name: homeless, no_create_home: true}
  - {name: unlogged, no_log_init: true}
  - {name: groupless, no_user_group: true}
"""),
    config("users: a system user with keys", f"""
users:
  - default
  - {{name: daemon-x, system: true, ssh_authorized_keys: ['{KEY}']}}
  - {{name: alice}}
"""),
    config("users: expiry and inactivity", """
users:
  - default
  - {name: guest, expiredate: '2032-09-01', inactive: '30'}
"""),
    config("users: groups that are not there", """
users:
  - default
  - {name: one, groups: 'adm, newgroup'}
  - {name: two, groups: 'adm', create_groups: false}
"""),
    config("users: groups that may not be made", """
users:
  - default
  - {name: one, groups: 'adm, nosuchgroup', create_groups: false}
  - {name: two}
"""),
    config("users: groups as a mapping and a list", """
users:
  - default
  - {name: one, groups: [adm, video, extra]}
  - {name: two, groups: 'audio,extra'}
"""),
    config("sudo: text, list, false, null", """
users:
  - default
  - {name: one, sudo: 'ALL=(ALL) ALL'}
  - {name: two, sudo: ['ALL=(root) /usr/bin/true', 'ALL=(www-data) NOPASSWD: /usr/bin/id']}
  - {name: three, sudo: false}
  - {name: four, sudo: null}
"""),
    config("sudo: the file of an earlier boot", """
users:
  - default
  - {name: one, sudo: 'ALL=(ALL) ALL'}
""", prepare="printf '%s\\n' '# by hand' 'root ALL=(ALL) ALL' >/etc/sudoers.d/90-cloud-init-users"),
    config("sudo: no includedir in sudoers", """
users:
  - default
  - {name: one, sudo: 'ALL=(ALL) ALL'}
""", prepare="sed -i '/includedir/d' /etc/sudoers"),
    config("sudo: a user with doas", """
users:
  - default
  - {name: one, doas: ['permit nopass one', 'permit one as root']}
"""),
    config("passwords: a hash that stays locked", f"""
users:
  - default
  - {{name: one, passwd: '{HASH}'}}
  - {{name: two, passwd: '{HASH}', lock_passwd: true}}
"""),
    config("passwords: a hash that opens", f"""
users:
  - default
  - {{name: one, passwd: '{HASH}', lock_passwd: false}}
  - {{name: two, hashed_passwd: '{HASH}', lock_passwd: false}}
"""),
    config("passwords: plain text in users", """
users:
  - default
  - {name: one, plain_text_passwd: secret1, lock_passwd: false}
  - {name: two, plain_text_passwd: secret2}
  - {name: three, lock_passwd: false}
""", passwords=["secret1", "secret2"]),
    config("passwords: an existing user", f"""
users:
  - default
  - {{name: www-data, hashed_passwd: '{HASH}', lock_passwd: false, ssh_authorized_keys: ['{KEY}']}}
  - {{name: games, plain_text_passwd: secret1, lock_passwd: false, shell: /bin/bash, groups: [video]}}
  - {{name: backup, passwd: '{HASH}', lock_passwd: false}}
  - {{name: list, lock_passwd: true}}
""", prepare="mkdir -p /var/www /var/list", passwords=["secret1"]),
    config("users: a key for one whose home is not there", f"""
users: [default, {{name: www-data, ssh_authorized_keys: ['{KEY}']}}]
"""),
    config("passwords: an existing user that has a password", f"""
users:
  - default
  - {{name: old, hashed_passwd: '{HASH}', plain_text_passwd: secret2, lock_passwd: false}}
  - {{name: locked, lock_passwd: true}}
  - {{name: opened, lock_passwd: false}}
""", prepare="for name in old locked opened; do useradd -m $name; echo $name:secret1 | chpasswd; done; passwd -l opened",
           passwords=["secret1", "secret2"]),
    config("password: of the default user", "password: secret1\nchpasswd: {expire: false}", passwords=["secret1"]),
    config("password: expires unless told", "password: secret1", passwords=["secret1"]),
    config("password: opens ssh only with ssh_pwauth", "password: secret1\nssh_pwauth: true", passwords=["secret1"]),
    config("chpasswd: a list of users", f"""
users: [default, alice, bob, carol]
chpasswd:
  expire: false
  users:
    - {{name: alice, password: secret1, type: text}}
    - {{name: bob, password: '{HASH}'}}
    - {{name: carol, type: RANDOM}}
    - {{name: debian, password: '{HASH}', type: hash}}
""", passwords=["secret1"]),
    config("chpasswd: expires unless told", """
users: [default, alice]
chpasswd: {users: [{name: alice, password: secret1, type: text}]}
""", passwords=["secret1"]),
    config("chpasswd: the old list as text", f"""
users: [default, alice, bob, carol]
chpasswd:
  expire: false
  list: |
    alice:secret1
    bob:{HASH}
    carol:RANDOM
""", passwords=["secret1"]),
    config("chpasswd: the old list as a list", """
users: [default, alice, bob]
chpasswd: {list: ['alice:secret1', 'bob:R']}
""", passwords=["secret1"]),
    config("groups: all forms", """
groups:
  - cloud
  - staffers: [root, games]
  - adm
users: [default]
"""),
    config("groups: a mapping", "groups: {cloud: [root], empty: null}\nusers: [default]"),
    config("groups: in the order of their names", "groups: [{web: [root], app: [games]}, db]"),
    config("groups: text", "groups: cloud, other\nusers: [default, {name: alice, groups: cloud}]"),
    config("groups: a member that is not there", "groups: [{cloud: [nobody-such, root]}]"),
    config("user: changes the default user", "user: {name: admin, gecos: Boss, shell: /bin/sh, groups: [adm]}"),
    config("user: as text", "user: admin"),
    config("user: beside users", f"""
user: {{name: admin, ssh_authorized_keys: ['{KEY}']}}
users: [default, alice]
"""),
    config("image: its own default user", "ssh_authorized_keys: ['%s']" % KEY, image="""
system_info:
  default_user: {name: ec2-user, gecos: EC2, groups: [adm], sudo: ['ALL=(ALL) NOPASSWD:ALL'], shell: /bin/bash}
"""),
    config("image: users of its own, and of user data", "users: [default, alice]", image="users: [default, imageuser]"),
    config("default user that is in the image already", "", prepare="""
useradd -m -s /bin/sh debian
install -d -m 700 -o debian -g debian /home/debian/.ssh
echo 'ssh-rsa AAAAold old' >/home/debian/.ssh/authorized_keys
chown debian: /home/debian/.ssh/authorized_keys
"""),
    config("users: the second boot makes nobody anew", "users: [default, {name: alice, sudo: 'ALL=(ALL) ALL'}]", boots=[
        {}, {"before": "userdel -r alice || true; rm -f /etc/sudoers.d/90-cloud-init-users"}]),
    config("users: a new instance meets those of the last one", """
users: [default, {name: alice, sudo: 'ALL=(ALL) ALL'}]
""", boots=[{"instance": INSTANCE}, {"instance": OTHER_INSTANCE}]),
    config("users: bad entries beside good ones", """
users:
  - default
  - {name: alice, shell: 5}
  - {gecos: nameless}
  - {name: bob}
"""),
    config("users: a name that useradd refuses", "users: [default, 'Bad Name!', bob]"),
]

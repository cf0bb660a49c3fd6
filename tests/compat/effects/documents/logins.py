"""SSH: who may log in, how, and to which host keys."""

from launch import ALL_TYPES, INSTANCE, LAUNCH_KEY, OTHER_INSTANCE, case, config

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA deploy"
# A host key made for this file: it opens nothing.
HOST_KEY = """-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACB9QmuY+MvHVWF6mnsrqBvODKeqS4pBTS3qAT5C3HK/0wAAAJCf0nEYn9Jx
GAAAAAtzc2gtZWQyNTUxOQAAACB9QmuY+MvHVWF6mnsrqBvODKeqS4pBTS3qAT5C3HK/0w
AAAEAdkmbLv796SMOK25xIsmM4aTuVSO01bwSklzJrRM+i9X1Ca5j4y8dVYXqaeyuoG84M
p6pLikFNLeoBPkLccr/TAAAAB2VmZmVjdHMBAgMEBQY=
-----END OPENSSH PRIVATE KEY-----"""
HOST_KEY_PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH1Ca5j4y8dVYXqaeyuoG84Mp6pLikFNLeoBPkLccr/T effects"
INDENTED = HOST_KEY.replace("\n", "\n    ")

DOCUMENTS = [
    config("ssh_authorized_keys: go to the default user and to root", f"ssh_authorized_keys: ['{KEY}']"),
    config("ssh_authorized_keys: the launch key twice", f"ssh_authorized_keys: ['{LAUNCH_KEY}', '{KEY}', '{KEY}']"),
    config("ssh_authorized_keys: options and a comment line", f"""
ssh_authorized_keys:
  - 'no-pty,command="date" {KEY}'
  - '# a comment'
  - 'not a key at all'
  - ''
"""),
    config("ssh_authorized_keys: no user to give them to", f"ssh_authorized_keys: ['{KEY}']\nusers: []"),
    config("ssh_authorized_keys: a user's own beside them", f"""
ssh_authorized_keys: ['{LAUNCH_KEY}']
users: [default, {{name: alice, ssh_authorized_keys: '{KEY}'}}]
"""),
    config("ssh_redirect_user", f"""
users: [default, {{name: alice, ssh_redirect_user: true}}]
ssh_authorized_keys: ['{KEY}']
"""),
    config("disable_root: false", "disable_root: false"),
    config("disable_root_opts", "disable_root_opts: no-port-forwarding,command=\"echo $USER not $DISABLE_USER\""),
    config("disable_root: root's own keys stay", "", prepare="""
install -d -m 700 /root/.ssh
echo 'ssh-rsa AAAAroot root@image' >/root/.ssh/authorized_keys
"""),
    config("allow_public_ssh_keys: false", f"allow_public_ssh_keys: false\nssh_authorized_keys: ['{KEY}']"),
    config("AuthorizedKeysFile somewhere else", "", prepare="""
echo 'AuthorizedKeysFile .ssh/authorized_keys %h/.ssh/other' >/etc/ssh/sshd_config.d/10-keys.conf
"""),
    config("ssh_pwauth: true", "ssh_pwauth: true"),
    config("ssh_pwauth: false", "ssh_pwauth: false"),
    config("ssh_pwauth: unchanged", "ssh_pwauth: unchanged"),
    config("ssh_pwauth: as text", "ssh_pwauth: 'yes'"),
    config("ssh_pwauth: said in sshd_config already", "ssh_pwauth: true", prepare="""
sed -i 's/^#\\?PasswordAuthentication .*/PasswordAuthentication no/' /etc/ssh/sshd_config
"""),
    config("ssh_pwauth: sshd_config that includes nothing", "ssh_pwauth: false", prepare="""
sed -i '/^Include/d; s/^#\\?PasswordAuthentication .*/PasswordAuthentication yes/' /etc/ssh/sshd_config
"""),
    config("ssh_pwauth: its file is there", "ssh_pwauth: true", prepare="""
printf 'X11Forwarding no\\nPasswordAuthentication no\\n' >/etc/ssh/sshd_config.d/50-cloud-init.conf
"""),
    config("ssh_genkeytypes", "ssh_genkeytypes: [ed25519, ecdsa]"),
    config("ssh_genkeytypes: one that is not there", "ssh_genkeytypes: [ed25519, nosuch]"),
    config("ssh_deletekeys: false keeps those of the image", "ssh_deletekeys: false", image=ALL_TYPES),
    config("ssh_deletekeys: false, and a type is missing", "ssh_deletekeys: false", image=ALL_TYPES,
           prepare="rm /etc/ssh/ssh_host_ecdsa_key*"),
    config("ssh_keys: given", f"""
ssh_keys:
  ed25519_private: |
    {INDENTED}
  ed25519_public: '{HOST_KEY_PUBLIC}'
"""),
    config("ssh_keys: a private key only", f"""
ssh_keys:
  ed25519_private: |
    {INDENTED}
"""),
    config("ssh_keys: an unknown type", f"ssh_keys: {{nosuch_private: x, ed25519_public: '{HOST_KEY_PUBLIC}'}}"),
    config("ssh_quiet_keygen", "ssh_quiet_keygen: true", image=ALL_TYPES),
    config("ssh_publish_hostkeys", "ssh_publish_hostkeys: {enabled: false}"),
    config("no_ssh_fingerprints", "no_ssh_fingerprints: true\nssh: {emit_keys_to_console: false}"),
    config("host keys of the second boot", "", image=ALL_TYPES, boots=[{}, {"before": "rm /etc/ssh/ssh_host_rsa_key"}]),
    config("host keys of a new instance", "", image=ALL_TYPES, boots=[
        {"instance": INSTANCE}, {"instance": OTHER_INSTANCE}]),
    case("launch key with options", keys=('from="10.0.0.0/8" ' + KEY,)),
]

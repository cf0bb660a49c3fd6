"""write_files."""

from launch import config

DOCUMENTS = [
    config("write_files: content, owner, permissions", """
write_files:
  - path: /etc/app/app.conf
    content: |
      port = 80
      name = "example"
    owner: www-data:www-data
    permissions: '0640'
"""),
    config("write_files: what is left out", "write_files: [{path: /srv/empty}, {path: /srv/text, content: text}]"),
    config("write_files: forms of permissions", """
write_files:
  - {path: /srv/text, content: a, permissions: '0755'}
  - {path: /srv/without-zero, content: a, permissions: '600'}
  - {path: /srv/number, content: a, permissions: 0644}
  - {path: /srv/decimal, content: a, permissions: 644}
  - {path: /srv/o, content: a, permissions: '0o711'}
  - {path: /srv/o-number, content: a, permissions: 0o711}
  - {path: /srv/setuid, content: a, owner: 'www-data', permissions: '4755'}
  - {path: /srv/sticky, content: a, permissions: '1777'}
  - {path: /srv/null, content: a, permissions: null}
"""),
    config("write_files: permissions that are none", """
write_files:
  - {path: /srv/bad, content: a, permissions: u=rw}
  - {path: /srv/eight, content: a, permissions: '0888'}
  - {path: /srv/good, content: a, permissions: '0600'}
"""),
    config("write_files: forms of an owner", """
write_files:
  - {path: /srv/user, content: a, owner: www-data}
  - {path: /srv/both, content: a, owner: 'games:video'}
  - {path: /srv/group, content: a, owner: ':video'}
"""),
    config("write_files: an owner as numbers", """
write_files: [{path: /srv/a, content: a, owner: '33:44'}, {path: /srv/b, content: a}]
"""),
    config("write_files: an owner that is not there", """
write_files:
  - {path: /srv/first, content: a}
  - {path: /srv/bad, content: a, owner: 'nosuch:nosuch', permissions: '0600'}
  - {path: /srv/last, content: a}
"""),
    config("write_files: encodings", """
write_files:
  - {path: /srv/b64, encoding: b64, content: aGVsbG8K}
  - {path: /srv/base64, encoding: base64, content: 'aGVs bG8K'}
  - {path: /srv/plain, encoding: text/plain, content: aGVsbG8K}
  - {path: /srv/gz, encoding: gzip, content: !!binary H4sIAAAAAAAAA8tIzcnJ5wIAIDA6NgYAAAA=}
  - {path: /srv/gzb64, encoding: gz+b64, content: H4sIAAAAAAAAA8tIzcnJ5wIAIDA6NgYAAAA=}
  - {path: /srv/gzipbase64, encoding: gzip+base64, content: H4sIAAAAAAAAA8tIzcnJ5wIAIDA6NgYAAAA=}
  - {path: /srv/upper, encoding: B64, content: aGVsbG8K}
  - {path: /srv/binary, content: !!binary AAECAwQ=}
"""),
    config("write_files: an encoding that is none", """
write_files: [{path: /srv/a, encoding: rot13, content: uryyb}, {path: /srv/b, content: hello}]
"""),
    config("write_files: base64 that is none", """
write_files: [{path: /srv/a, encoding: b64, content: '***'}, {path: /srv/b, content: hello}]
"""),
    config("write_files: gzip that is none", """
write_files: [{path: /srv/a, encoding: gzip, content: hello}, {path: /srv/b, content: hello}]
"""),
    config("write_files: append", """
write_files:
  - {path: /etc/hosts, content: "10.0.0.1 db\\n", append: true}
  - {path: /srv/new, content: "one\\n", append: true, permissions: '0600'}
  - {path: /srv/new, content: "two\\n", append: true}
  - {path: /srv/new, content: "three\\n", append: true, owner: games, permissions: '0640'}
"""),
    config("write_files: append in a second boot", """
write_files: [{path: /srv/log, content: "line\\n", append: true}]
""", boots=[{}, {}]),
    config("write_files: the same file twice", """
write_files: [{path: /srv/a, content: one}, {path: /srv/a, content: two, permissions: '0600'}]
"""),
    config("write_files: over a file of the image", """
write_files: [{path: /etc/issue, content: "Welcome\\n"}, {path: /srv/link, content: through the link}]
""", prepare="chmod 600 /etc/issue; chown games /etc/issue; echo old >/srv/target; ln -s target /srv/link"),
    config("write_files: new directories", """
write_files:
  - {path: /srv/a/b/c/file, content: a, owner: 'games:video'}
  - {path: /srv/a/other/file, content: a}
"""),
    config("write_files: a path that goes up, and one with doubled slashes", """
write_files: [{path: /srv/a/../b, content: a}, {path: //srv//c, content: a}]
"""),
    config("write_files: defer", """
users: [default, {name: alice}]
write_files:
  - {path: /home/alice/.config/app, content: a, owner: 'alice:alice', defer: true}
  - {path: /srv/now, content: a}
runcmd: [cat /home/alice/.config/app >>/srv/order]
"""),
    config("write_files: in a home before its user is made", """
users: [default, {name: alice}]
write_files: [{path: /home/alice/.vimrc, content: set nu}]
"""),
    config("write_files: source is a file", """
write_files:
  - {path: /srv/copy, source: {uri: 'file:///etc/debian_version'}, permissions: '0600'}
  - {path: /srv/or, source: {uri: 'file:///nosuch'}, content: instead}
"""),
    config("write_files: entries that are wrong, beside good ones", """
write_files:
  - {content: no path}
  - {path: /srv/good, content: a}
  - text
  - {path: /srv/number, content: 5}
"""),
    config("write_files: a mapping in place of a list", "write_files: {path: /srv/a, content: a}"),
    config("write_files: a directory in the way", """
write_files: [{path: /srv/dir, content: a}, {path: /srv/later, content: a}]
""", prepare="mkdir /srv/dir"),
    config("write_files: sudoers and a secret", """
write_files:
  - {path: /etc/sudoers.d/app, content: "games ALL=(ALL) NOPASSWD: /usr/bin/true\\n", permissions: '0440'}
  - {path: /root/.pgpass, content: 'db:5432:app:app:secret', permissions: '0600'}
"""),
]

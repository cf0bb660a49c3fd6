//! Accounts, as root in a throw-away Debian with its own useradd, chpasswd and visudo: each document
//! leaves the files of accounts as the commands do that cloud-init runs for it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::path::Path;

use support::debian::Debian;

/// The files in which accounts are kept, and those that say what they may.
const FILES: [&str; 11] = [
    "etc/passwd",
    "etc/group",
    "etc/shadow",
    "etc/gshadow",
    "etc/subuid",
    "etc/subgid",
    "etc/sudoers",
    "etc/sudoers.d/90-cloud-init-users",
    "etc/doas.conf",
    "etc/ssh/sshd_config",
    "etc/ssh/sshd_config.d/50-cloud-init.conf",
];

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvGQ1bnAdKyJfzbb0xMv7kUJ5cDpBF3f8Wvpvh6XbJ8 me";
const HASH: &str = "$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g.";

/// A document, and the commands that cloud-init 25.1.4 runs for it.
fn documents() -> Vec<(String, String)> {
    let keys = |user: &str| {
        format!(
            "install -d -m 700 -o {user} -g {user} /home/{user}/.ssh\n\
             printf '%s\\n' '{KEY}' > /home/{user}/.ssh/authorized_keys\n\
             chmod 600 /home/{user}/.ssh/authorized_keys\n\
             chown {user}:{user} /home/{user}/.ssh/authorized_keys\n"
        )
    };
    let sudo = |blocks: &str| {
        format!(
            "chmod 750 /etc/sudoers.d\n\
             printf '{blocks}' > /etc/sudoers.d/90-cloud-init-users\n\
             chmod 440 /etc/sudoers.d/90-cloud-init-users\n"
        )
    };
    #[rustfmt::skip]
    let table = [
        // The default user is made last.
        ("system_info: {default_user: {name: admin, gecos: Admin, groups: [adm, sudo], shell: /bin/bash, lock_passwd: true}}\n\
          users: [default, deploy]".to_owned(),
         "useradd deploy -m\npasswd -l deploy\n\
          useradd admin --comment Admin --groups adm,sudo --shell /bin/bash -m\npasswd -l admin\n".to_owned()),
        // Everything that useradd is told.
        (format!("users:\n  - name: web\n    gecos: Web, of the site\n    primary_group: www\n    groups: [www, crew]\n    \
                  homedir: /srv/web\n    shell: /bin/sh\n    uid: 1500\n    inactive: '5'\n    expiredate: '2040-01-01'\n    \
                  no_log_init: true\n    lock_passwd: false\n    passwd: {HASH}\n"),
         format!("groupadd www\ngroupadd crew\n\
                  useradd web --comment 'Web, of the site' --expiredate 2040-01-01 --gid www --groups www,crew --home /srv/web \
                  --inactive 5 --no-log-init --password '{HASH}' --shell /bin/sh --uid 1500 -m\n")),
        // A hash is locked unless it is said not to be.
        (format!("users: [{{name: ada, passwd: {HASH}}}, {{name: bob, hashed_passwd: {HASH}}}]"),
         format!("useradd ada --password '{HASH}' -m\npasswd -l ada\n\
                  useradd bob -m\necho 'bob:{HASH}' | chpasswd -e\npasswd -l bob\n")),
        (format!("users: [{{name: bob, hashed_passwd: {HASH}, lock-passwd: false}}]"),
         format!("useradd bob -m\necho 'bob:{HASH}' | chpasswd -e\npasswd -u bob\n")),
        ("users: [{name: ada, plain_text_passwd: open sesame, lock_passwd: false}]".to_owned(),
         "useradd ada -m\necho 'ada:open sesame' | chpasswd\npasswd -u ada\n".to_owned()),
        ("users: [{name: ada, plain_text_passwd: open sesame}]".to_owned(),
         "useradd ada -m\necho 'ada:open sesame' | chpasswd\npasswd -l ada\n".to_owned()),
        // A password that is said to be none.
        ("users: [{name: ada, passwd: '', lock_passwd: false}]".to_owned(),
         "useradd ada -m\npasswd -d ada\n".to_owned()),
        // Accounts without a home.
        ("users: [{name: daemon2, system: true}, {name: quiet, no_create_home: true, no_user_group: true}]".to_owned(),
         "useradd daemon2 --system -M\npasswd -l daemon2\nuseradd quiet --no-user-group -M\npasswd -l quiet\n".to_owned()),
        // Groups come first; members who are there already are added.
        ("groups: [crew, {ops: [www-data, games]}, {crew: www-data}]\nusers: [{name: ada, groups: 'ops, crew'}]".to_owned(),
         "groupadd crew\nusermod -a -G crew www-data\ngroupadd ops\nusermod -a -G ops games\nusermod -a -G ops www-data\n\
          useradd ada --groups ops,crew -m\npasswd -l ada\n".to_owned()),
        // Who is there already keeps shell, home and groups.
        (format!("users: [{{name: games, shell: /bin/zsh, groups: [sudo], uid: 9999, hashed_passwd: {HASH}, lock_passwd: false}}]"),
         format!("echo 'games:{HASH}' | chpasswd -e\n")),
        ("users: [{name: www-data}]".to_owned(), "passwd -l www-data\n".to_owned()),
        // Keys and rules, one block for each user, in their order.
        (format!("users:\n  - {{name: ada, sudo: 'ALL=(ALL) NOPASSWD:ALL', ssh_authorized_keys: ['{KEY}']}}\n  \
                  - {{name: bob, sudo: ['ALL=(root) /bin/ls', 'ALL=(root) /bin/cat']}}\n"),
         format!("useradd ada -m\npasswd -l ada\nuseradd bob -m\npasswd -l bob\n{}{}", keys("ada"),
                 sudo("# Created by firstlight, from the users of the configuration\\n\
                       \\n# User rules for ada\\nada ALL=(ALL) NOPASSWD:ALL\\n\
                       \\n# User rules for bob\\nbob ALL=(root) /bin/ls\\nbob ALL=(root) /bin/cat\\n"))),
        // An empty list of keys makes an empty file.
        ("users: [{name: ada, ssh_authorized_keys: []}]".to_owned(),
         format!("useradd ada -m\npasswd -l ada\n{}: > /home/ada/.ssh/authorized_keys\n", keys("ada"))),
        ("users: [{name: ada, doas: [permit nopass ada]}]".to_owned(),
         "useradd ada -m\npasswd -l ada\n\
          printf '# Created by firstlight, from the users of the configuration\\n\\n# User rules for ada\\npermit nopass ada\\n' > /etc/doas.conf\n\
          chmod 440 /etc/doas.conf\n".to_owned()),
    ];
    table.into_iter().chain(passwords()).collect()
}

/// Documents about passwords, the same way.
fn passwords() -> Vec<(String, String)> {
    #[rustfmt::skip]
    let table = [
        ("{users: [default, ada], system_info: {default_user: {name: web}}, password: open sesame}".to_owned(),
         "useradd ada -m\npasswd -l ada\nuseradd web -m\npasswd -l web\necho 'web:open sesame' | chpasswd\npasswd --expire web\n".to_owned()),
        (format!("{{users: [ada, bob], chpasswd: {{users: [{{name: ada, password: {HASH}}}, {{name: bob, password: 'a:b', type: text}}]}}}}"),
         format!("useradd ada -m\nuseradd bob -m\necho 'bob:a:b' | chpasswd\necho 'ada:{HASH}' | chpasswd -e\n\
                  passwd --expire bob\npasswd --expire ada\n")),
        (format!("users: [ada, bob]\nchpasswd:\n  expire: false\n  list: |\n    ada:{HASH}\n    bob:x\n"),
         format!("useradd ada -m\nuseradd bob -m\necho 'bob:x' | chpasswd\necho 'ada:{HASH}' | chpasswd -e\n")),
        ("{users: [], ssh_pwauth: true}".to_owned(),
         "echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config.d/50-cloud-init.conf\n\
          chmod 600 /etc/ssh/sshd_config.d/50-cloud-init.conf\n".to_owned()),
        ("{users: [], ssh_pwauth: unchanged}".to_owned(), ":".to_owned()),
    ];
    table.into()
}

/// Nothing else than accounts: no host keys, for instance.
const IMAGE: &str = "cloud_init_modules: [users_groups, set_passwords]\n";

#[test]
fn each_document_leaves_what_cloud_inits_commands_leave() {
    let Some(debian) = Debian::with_image(IMAGE) else {
        return;
    };
    let pristine = Pristine::of(&debian);
    for (number, (document, commands)) in documents().into_iter().enumerate() {
        debian.chroot(&["sh", "-ec", &commands]);
        let wanted = state(&debian);
        pristine.restore(&debian);
        let user_data = format!("#cloud-config\n{document}\n");
        let meta_data = format!("instance-id: i-{number}\nlocal-hostname: one\n");
        let said = debian.run_with(&user_data, &meta_data, &["boot"]);
        assert_eq!(said.code, 0, "{document}: {said:?}");
        let status = debian.run(&["status"]);
        assert_eq!(status.code, 0, "{document}: {status:?}");
        similar(&wanted, &state(&debian), &document);
        let plan = debian.run_with(&user_data, &meta_data, &["plan"]);
        assert_eq!(plan.code, 0, "{document}: {plan:?}");
        let before = state(&debian);
        for module in ["users_groups", "set_passwords"] {
            let again = debian.run(&["run", module, "--force"]);
            assert_eq!(again.code, 0, "{document}: {again:?}");
        }
        similar(&before, &state(&debian), &document);
        pristine.restore(&debian);
    }
}

/// What is where, line by line; salted hashes differ from run to run.
fn state(debian: &Debian) -> Vec<String> {
    let mut lines = Vec::new();
    for file in FILES {
        let Ok(text) = fs::read_to_string(debian.path(file)) else {
            continue;
        };
        lines.push(format!("{file} {:o}", debian.mode(file)));
        for line in text.lines() {
            let mut fields: Vec<&str> = line.split(':').collect();
            if file == "etc/shadow" && fields[1].trim_start_matches('!').starts_with("$y$") {
                fields[1] = if fields[1].starts_with('!') {
                    "!salted"
                } else {
                    "salted"
                };
            }
            lines.push(format!("{file} {}", fields.join(":")));
        }
    }
    for directory in ["home", "srv", "root/.ssh"] {
        list(debian, directory, &mut lines);
    }
    lines.push(format!("etc/sudoers.d {:o}", debian.mode("etc/sudoers.d")));
    lines
}

/// Each file below, with its mode, its owner and what is in it.
fn list(debian: &Debian, directory: &str, lines: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(debian.path(directory)) else {
        return;
    };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        let path = format!("{directory}/{}", name.to_str().unwrap());
        let (mode, owner) = (debian.mode(&path), debian.owner(&path));
        let text = fs::read_to_string(debian.path(&path)).unwrap_or_default();
        lines.push(format!("{path} {mode:o} {owner:?} {text}"));
        list(debian, &path, lines);
    }
}

fn similar(wanted: &[String], found: &[String], document: &str) {
    let missing: Vec<&String> = wanted.iter().filter(|line| !found.contains(line)).collect();
    let more: Vec<&String> = found.iter().filter(|line| !wanted.contains(line)).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "{document}\nmissing: {missing:#?}\ntoo much: {more:#?}"
    );
    assert_eq!(wanted, found, "{document}: another order");
}

/// The tree's files of accounts as they were at first.
struct Pristine(Vec<(&'static str, Option<Vec<u8>>)>);

impl Pristine {
    fn of(debian: &Debian) -> Self {
        Self(
            FILES
                .map(|file| (file, fs::read(debian.path(file)).ok()))
                .into(),
        )
    }

    fn restore(&self, debian: &Debian) {
        for (file, bytes) in &self.0 {
            match bytes {
                // Written into the file that is there, which keeps its mode and its owner.
                Some(bytes) => fs::write(debian.path(file), bytes).unwrap(),
                None => drop(fs::remove_file(debian.path(file))),
            }
        }
        for directory in ["home", "srv"] {
            let entries = fs::read_dir(debian.path(directory)).unwrap();
            entries.for_each(|entry| fs::remove_dir_all(entry.unwrap().path()).unwrap());
        }
        debian.chroot(&["chmod", "755", "/etc/sudoers.d"]);
        let _ = fs::remove_dir_all(debian.path("root/.ssh"));
    }
}

#[test]
fn one_bad_user_costs_itself_alone_and_sudo_is_never_broken() {
    let Some(debian) = Debian::with_image(IMAGE) else {
        return;
    };
    let document = format!(
        "#cloud-config\nusers:\n  - {{name: 'no good'}}\n  - {{name: twin, uid: 0}}\n  \
         - {{name: broken, sudo: 'ALL=(ALL NOPASSWD', ssh_authorized_keys: ['{KEY}']}}\n  \
         - {{name: nogroup2, groups: [nosuch], create_groups: false}}\n  \
         - {{name: weak, plain_text_passwd: \"hunter2\\nroot:x\"}}\n  \
         - {{name: fine, sudo: ALL=(ALL) ALL, plain_text_passwd: hunter2, lock_passwd: false}}\n"
    );
    let meta_data = "instance-id: i-1\nlocal-hostname: one\n";
    let plan = debian.run_with(&document, meta_data, &["plan"]);
    assert_eq!(plan.code, 1, "{plan:?}");
    let boot = debian.run_with(&document, meta_data, &["boot"]);
    let status = debian.run(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    for says in [
        "part-001:3:12: users: not a valid user name",
        "UID 0 is not unique",
        "`visudo` says that the sudo rules of broken are not valid; nothing is written",
        "group 'nosuch' does not exist",
        "users: `weak`: plain_text_passwd: expected one line",
    ] {
        assert!(status.text.contains(says), "{says}: {status:?}");
    }
    for said in [&plan, &boot, &status] {
        assert!(!said.text.contains("hunter2"), "{said:?}");
    }
    for absent in ["twin", "nogroup2"] {
        assert_eq!(debian.entry("etc/passwd", absent), None, "{absent}");
    }
    let rules = debian.text("etc/sudoers.d/90-cloud-init-users");
    assert!(
        rules.contains("\nfine ALL=(ALL) ALL\n") && !rules.contains("broken"),
        "{rules}"
    );
    debian.chroot(&["visudo", "-c"]);
    // What comes before the bad rule is there all the same.
    assert!(
        debian
            .text("home/broken/.ssh/authorized_keys")
            .contains(KEY)
    );
    let hash = debian.entry("etc/shadow", "fine").unwrap().remove(1);
    let crypt = format!("exit(crypt('hunter2', '{hash}') ne '{hash}')");
    debian.chroot(&["perl", "-e", &crypt]);
    assert_eq!(debian.entry("etc/shadow", "weak").unwrap()[1], "!");
}

#[test]
fn a_tree_without_useradd_leaves_users_and_their_keys_to_the_live_machine() {
    let Some(debian) = Debian::with_image("{}\n") else {
        return;
    };
    for tool in ["usr/sbin/useradd", "usr/sbin/adduser"] {
        let path = debian.path(tool);
        if Path::new(&path).exists() {
            fs::remove_file(path).unwrap();
        }
    }
    let document = format!(
        "#cloud-config\nssh_authorized_keys: ['{KEY}']\nsystem_info: {{default_user: {{name: web, plain_text_passwd: x}}}}\n"
    );
    let meta_data = "instance-id: i-1\nlocal-hostname: one\n";
    for command in ["plan", "apply"] {
        let said = debian.run_with(&document, meta_data, &[command]);
        assert!([0, 2].contains(&said.code), "{command}: {said:?}");
        assert!(said.text.contains("needs the live machine"), "{said:?}");
        assert!(!said.text.contains("no user"), "{said:?}");
    }
    let status = debian.run(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
}

#[test]
fn a_random_password_is_set_and_shown_on_the_console_alone() {
    let Some(debian) = Debian::with_image(IMAGE) else {
        return;
    };
    let console = debian.path("dev/console");
    drop(fs::remove_file(&console));
    debian.write("dev/console", "");
    let document = "#cloud-config\nusers: [ada]\nchpasswd: {users: [{name: ada, type: RANDOM}]}\n";
    let meta_data = "instance-id: i-1\nlocal-hostname: one\n";
    // A console below another root is not this machine's.
    let boot = debian.run_with(document, meta_data, &["boot"]);
    assert_eq!(debian.text("dev/console"), "", "{boot:?}");
    assert_eq!(debian.entry("etc/shadow", "ada").unwrap()[1], "!");

    fs::copy(env!("CARGO_BIN_EXE_firstlight"), debian.path("firstlight")).unwrap();
    let said = debian.chroot(&["/firstlight", "run", "set_passwords"]);
    let shown = debian.text("dev/console");
    let password = shown
        .lines()
        .find_map(|line| line.strip_prefix("ada:"))
        .unwrap();
    assert_eq!(password.len(), 20, "{shown}");
    let shadow = debian.entry("etc/shadow", "ada").unwrap();
    assert_eq!(shadow[2], "0", "it has to be changed");
    let crypt = "exit(crypt($ARGV[0], $ARGV[1]) ne $ARGV[1])";
    debian.chroot(&["perl", "-e", crypt, "--", password, &shadow[1]]);

    assert!(!said.contains(password), "{said}");
    let found = debian.chroot(&[
        "grep",
        "-rlF",
        "-e",
        password,
        "/var",
        "/run",
        "/dev/console",
    ]);
    assert_eq!(found, "/dev/console\n");
}

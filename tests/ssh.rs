//! Host keys and logins, as root in a throw-away Debian with the system's own ssh-keygen and sshd.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use support::debian::Debian;

const TYPES: [&str; 3] = ["ecdsa", "ed25519", "rsa"];
/// As without a word of the image.
const ALL_TYPES: &str = "ssh_genkeytypes: [rsa, ecdsa, ed25519]\n";

/// A boot of this instance, which has to end well.
fn boot(machine: &Debian, id: &str, user_data: &str) {
    let meta_data = format!("instance-id: {id}\nlocal-hostname: one\n");
    let said = machine.run_with(user_data, &meta_data, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let status = machine.run(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
}

/// The host keys' files and what is in them.
fn host_keys(machine: &Debian) -> BTreeMap<String, String> {
    let entries = fs::read_dir(machine.path("etc/ssh")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| name.starts_with("ssh_host_"));
    names
        .map(|name| (name.clone(), machine.text(&format!("etc/ssh/{name}"))))
        .collect()
}

fn assert_sshd_is_content(machine: &Debian) {
    fs::create_dir_all(machine.path("run/sshd")).unwrap();
    machine.chroot(&["/usr/sbin/sshd", "-t"]);
}

#[test]
fn each_instance_has_host_keys_of_its_own_and_keeps_them() {
    let Some(machine) = Debian::with_image(ALL_TYPES) else {
        return;
    };
    machine.write("etc/ssh/ssh_host_dsa_key", "of the image");
    let image = host_keys(&machine);
    boot(&machine, "i-1", "");
    let first = host_keys(&machine);
    let names: Vec<String> = TYPES
        .iter()
        .flat_map(|kind| {
            [
                format!("ssh_host_{kind}_key"),
                format!("ssh_host_{kind}_key.pub"),
            ]
        })
        .collect();
    assert_eq!(first.keys().cloned().collect::<Vec<_>>(), names);
    for name in &names {
        assert_ne!(image.get(name), first.get(name), "{name} is the image's");
        let path = format!("etc/ssh/{name}");
        let mode = if name.ends_with(".pub") { 0o644 } else { 0o600 };
        assert_eq!(
            (machine.mode(&path), machine.owner(&path)),
            (mode, (0, 0)),
            "{name}"
        );
    }
    for kind in TYPES {
        let private = format!("/etc/ssh/ssh_host_{kind}_key");
        let public = machine.chroot(&["ssh-keygen", "-y", "-f", &private]);
        let (body, _) = public.trim().rsplit_once(' ').unwrap();
        assert!(
            first[&format!("ssh_host_{kind}_key.pub")].starts_with(body),
            "{kind}"
        );
    }
    assert_sshd_is_content(&machine);

    boot(&machine, "i-1", "");
    assert_eq!(host_keys(&machine), first, "a second boot");
    let again = machine.run(&["run", "ssh", "ssh_rsa", "--force"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(host_keys(&machine), first, "done again by hand");
    let plan = machine.run_with("", "instance-id: i-1\nlocal-hostname: one\n", &["plan"]);
    assert_eq!(plan.code, 0, "{plan:?}");

    boot(&machine, "i-2", "");
    let second = host_keys(&machine);
    for name in &names {
        assert_ne!(
            second.get(name),
            first.get(name),
            "{name} is another instance's"
        );
    }
}

#[test]
fn a_power_cut_while_keys_are_made_costs_no_key_and_leaves_none_cut_off() {
    let Some(machine) = Debian::with_image(ALL_TYPES) else {
        return;
    };
    // The agent is killed when it comes to this type; what stands there then is half a key.
    let real = "/usr/bin/ssh-keygen";
    for kind in TYPES {
        fs::rename(
            machine.path("usr/bin/ssh-keygen"),
            machine.path("usr/bin/real"),
        )
        .unwrap();
        let trap = format!(
            "#!/bin/sh\ncase \"$*\" in *'-t {kind} '*) printf -- '-----BEGIN' >/etc/ssh/ssh_host_{kind}_key; kill -9 $PPID; exit 1;; esac\nexec /usr/bin/real \"$@\"\n"
        );
        machine.write("usr/bin/ssh-keygen", &trap);
        machine.chroot(&["chmod", "755", real]);
        let meta_data = format!("instance-id: i-{kind}\n");
        let said = machine.run_with("", &meta_data, &["boot"]);
        assert_eq!(said.code, -1, "{kind}: {said:?}");
        fs::rename(
            machine.path("usr/bin/real"),
            machine.path("usr/bin/ssh-keygen"),
        )
        .unwrap();

        boot(&machine, &format!("i-{kind}"), "");
        assert_eq!(
            host_keys(&machine).len(),
            6,
            "{kind}: {:?}",
            host_keys(&machine).keys()
        );
        for kind in TYPES {
            machine.chroot(&[real, "-y", "-f", &format!("/etc/ssh/ssh_host_{kind}_key")]);
        }
        assert_sshd_is_content(&machine);
    }
}

#[test]
fn given_keys_and_certificates_are_those_that_sshd_shows() {
    let Some(machine) = Debian::with_image(ALL_TYPES) else {
        return;
    };
    let keygen = |args: &[&str]| machine.chroot(&[&["ssh-keygen", "-q"], args].concat());
    keygen(&["-t", "ed25519", "-N", "", "-C", "ca", "-f", "/tmp/ca"]);
    for kind in ["ed25519", "rsa"] {
        keygen(&[
            "-t",
            kind,
            "-N",
            "",
            "-C",
            "given",
            "-f",
            &format!("/tmp/{kind}"),
        ]);
    }
    keygen(&[
        "-s",
        "/tmp/ca",
        "-I",
        "one",
        "-h",
        "-n",
        "one.example.com",
        "/tmp/ed25519.pub",
    ]);
    let text = |name: &str| machine.text(&format!("tmp/{name}"));
    let block = |name: &str| text(name).trim_end().replace('\n', "\n    ");
    let user_data = format!(
        "#cloud-config\nssh_keys:\n  ed25519_private: |\n    {}\n  ed25519_public: {}\n  ed25519_certificate: |\n    {}\n  rsa_private: |\n    {}\n",
        block("ed25519"),
        text("ed25519.pub").trim_end(),
        block("ed25519-cert.pub"),
        block("rsa"),
    );
    boot(&machine, "i-1", &user_data);

    let files = host_keys(&machine);
    assert_eq!(files["ssh_host_ed25519_key"], text("ed25519"));
    assert_eq!(
        files["ssh_host_ed25519_key.pub"],
        text("ed25519.pub").trim_end()
    );
    assert_eq!(
        files["ssh_host_ed25519_key-cert.pub"],
        text("ed25519-cert.pub")
    );
    assert_eq!(files["ssh_host_rsa_key"], text("rsa"));
    // As cloud-init's command writes it: ssh-keygen gives the comment, and root@localhost follows.
    let derived = text("rsa.pub").trim_end().to_owned() + " root@localhost\n";
    assert_eq!(files["ssh_host_rsa_key.pub"], derived);
    assert_eq!(files.len(), 5, "others were made: {:?}", files.keys());
    #[rustfmt::skip]
    let modes = [
        ("etc/ssh/ssh_host_ed25519_key",             0o600),
        ("etc/ssh/ssh_host_ed25519_key.pub",         0o644),
        ("etc/ssh/ssh_host_ed25519_key-cert.pub",    0o644),
        ("etc/ssh/ssh_host_rsa_key",                 0o600),
        ("etc/ssh/ssh_host_rsa_key.pub",             0o644),
        ("etc/ssh/sshd_config.d/50-cloud-init.conf", 0o600),
    ];
    for (path, mode) in modes {
        assert_eq!(
            (machine.mode(path), machine.owner(path)),
            (mode, (0, 0)),
            "{path}"
        );
    }
    assert_sshd_is_content(&machine);
    let effective = machine.chroot(&["/usr/sbin/sshd", "-T"]);
    let certificate = "hostcertificate /etc/ssh/ssh_host_ed25519_key-cert.pub";
    assert!(
        effective.lines().any(|line| line == certificate),
        "{effective}"
    );

    let secret: String = text("rsa").lines().nth(1).unwrap().to_owned();
    let plan = machine.run_with(&user_data, "instance-id: i-9\n", &["plan"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    let status = machine.run(&["status"]);
    for said in [plan, status] {
        assert!(!said.text.contains(&secret), "{said:?}");
    }
    boot(&machine, "i-1", &user_data);
    assert_eq!(host_keys(&machine), files, "a second boot");
    assert_eq!(machine.lines("etc/ssh/sshd_config.d/50-cloud-init.conf"), 1);
}

const A: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvGQ1bnAdKyJfzbb0xMv7kUJ5cDpBF3f8Wvpvh6XbJ8 a";
const B: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINlkV0mFh2UfVGOxiU9MQoOz0VqQeLcCmNCvDIuKVLbI b";

/// What stands before root's keys when it may not log in.
fn forced(user: &str) -> String {
    format!(
        r#"no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command="echo 'Please login as the user \"{user}\" rather than the user \"root\".';echo;sleep 10;exit 142""#
    )
}

#[test]
fn authorized_keys_are_byte_by_byte_those_of_cloud_init() {
    let Some(machine) = Debian::with_image("system_info: {default_user: {name: web}}\n") else {
        return;
    };
    let old = format!("# the image's\nno-pty {A} old\n\n# end");
    machine.write("root/.ssh/authorized_keys", &old);
    machine.chroot(&["chmod", "640", "/root/.ssh/authorized_keys"]);
    let user_data =
        format!("#cloud-config\nssh_authorized_keys:\n  - {A}\n  - no-pty   {B}\n  - {A}\n");
    for _ in 0..2 {
        boot(&machine, "i-1", &user_data);
        let web = "home/web/.ssh/authorized_keys";
        assert_eq!(machine.text(web), format!("{A}\nno-pty {B}\n"));
        let ids = machine.entry("etc/passwd", "web").unwrap();
        let id = |at: usize| ids[at].parse::<u32>().unwrap();
        assert_eq!(
            (machine.mode(web), machine.owner(web)),
            (0o600, (id(2), id(3)))
        );
        assert_eq!(machine.mode("home/web/.ssh"), 0o700);
        let forced = forced("web");
        let root = "root/.ssh/authorized_keys";
        let expected = format!("# the image's\n{forced} {A}\n\n# end\n{forced} {B}\n");
        assert_eq!(machine.text(root), expected);
        assert_eq!((machine.mode(root), machine.owner(root)), (0o640, (0, 0)));
    }
    machine.write("seed/user-data", "");
    boot(
        &machine,
        "i-2",
        "#cloud-config\nusers: [default, {name: new}]\n",
    );
    assert_eq!(
        machine.text("home/web/.ssh/authorized_keys"),
        format!("{A}\nno-pty {B}\n")
    );
}

#[test]
fn keys_go_where_sshd_looks_for_them() {
    let Some(machine) = Debian::with_image("system_info: {default_user: {name: web}}\n") else {
        return;
    };
    machine.write(
        "etc/ssh/sshd_config.d/10-keys.conf",
        "AuthorizedKeysFile /etc/ssh/keys/%u .ssh/authorized_keys\n",
    );
    boot(
        &machine,
        "i-1",
        &format!("#cloud-config\nssh_authorized_keys: ['{A}']\n"),
    );
    assert_eq!(machine.text("etc/ssh/keys/web"), format!("{A}\n"));
    assert_eq!(machine.mode("etc/ssh/keys"), 0o755);
    assert!(!machine.path("home/web/.ssh").exists());
    fs::create_dir_all(machine.path("run/sshd")).unwrap();
    let effective = machine.chroot(&["/usr/sbin/sshd", "-T"]);
    assert!(effective.contains("authorizedkeysfile /etc/ssh/keys/%u .ssh/authorized_keys"));
}

/// A server of these paths; everything else is not found.
fn server(pages: Vec<(&'static str, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let page = pages.iter().find(|(own, _)| *own == path);
            let (status, body) = page.map_or(("404 Not Found", ""), |(_, body)| ("200 OK", body));
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

#[test]
fn the_keys_that_people_show_are_authorized_and_one_who_has_none_costs_himself_alone() {
    let github = format!(r#"[{{"id": 7, "key": "{}"}}]"#, A.trim_end_matches(" a"));
    let url = server(vec![
        ("/users/ada/keys", github),
        ("/~bob/+sshkeys", format!("{B}\nnonsense\n{A}\n")),
        ("/~nobody/+sshkeys", "\n".to_owned()),
    ]);
    let image = format!(
        "system_info: {{default_user: {{name: web}}}}\nfirstlight: {{ssh_import_id: {{gh: '{url}', lp: '{url}'}}}}\n"
    );
    let Some(machine) = Debian::with_image(&image) else {
        return;
    };
    let user_data = "#cloud-config\nssh_import_id: [gh:eve, lp:nobody, gh:ada, bob]\nusers:\n  - default\n  - name: dev\n    ssh_import_id: [lp:bob]\n";
    let said = machine.run_with(user_data, "instance-id: i-1\n", &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let status = machine.run(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    for says in [
        "/users/eve/keys was answered with status 404",
        "cannot fetch the keys of lp:nobody: there is no key among them",
    ] {
        assert!(status.text.contains(says), "{says}: {status:?}");
    }
    let a = A.trim_end_matches(" a");
    assert_eq!(
        machine.text("home/web/.ssh/authorized_keys"),
        format!("{a} ada@github/7 # ssh-import-id gh:ada\n{B} # ssh-import-id lp:bob\n")
    );
    assert_eq!(
        machine.text("home/dev/.ssh/authorized_keys"),
        format!("{B} # ssh-import-id lp:bob\n{A} # ssh-import-id lp:bob\n")
    );
    let list = machine.path("home/dev/.ssh/authorized_keys");
    let list = list.strip_prefix(machine.path("")).unwrap();
    let listed = machine.chroot(&["ssh-keygen", "-l", "-f", &format!("/{}", list.display())]);
    assert_eq!(listed.lines().count(), 2, "sshd reads both: {listed}");

    // Another place of keys, as ssh-import-id has it; no falling back to Launchpad.
    machine.write(
        "etc/ssh/ssh_import_id",
        &format!("{{\"URL\": \"{url}/users/%s/keys\"}}"),
    );
    let said = machine.run_with(
        "#cloud-config\nssh_import_id: [bob]\n",
        "instance-id: i-2\n",
        &["boot"],
    );
    assert_eq!(said.code, 0, "{said:?}");
    let status = machine.run(&["status"]);
    assert!(
        status
            .text
            .contains("/users/bob/keys was answered with status 404"),
        "{status:?}"
    );
}

#[test]
fn the_console_shows_the_keys_as_tools_look_for_them() {
    let Some(machine) = Debian::with_image(&format!(
        "system_info: {{default_user: {{name: web}}}}\n{ALL_TYPES}"
    )) else {
        return;
    };
    let user_data = format!("#cloud-config\nssh_authorized_keys: ['{A}']\n");
    machine.write("seed/user-data", &user_data);
    machine.write("seed/meta-data", "instance-id: i-1\nlocal-hostname: one\n");
    let said = machine.run_inside(&["--seed", "/seed", "boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let console = machine.text("console");

    let between = |begin: &str, end: &str| -> Vec<&str> {
        let lines = console
            .lines()
            .skip_while(|line| !line.ends_with(begin))
            .skip(1);
        lines.take_while(|line| !line.ends_with(end)).collect()
    };
    let keys = host_keys(&machine);
    let public: Vec<&str> = TYPES
        .iter()
        .map(|kind| keys[&format!("ssh_host_{kind}_key.pub")].trim())
        .collect();
    assert_eq!(
        between(
            "-----BEGIN SSH HOST KEY KEYS-----",
            "-----END SSH HOST KEY KEYS-----"
        ),
        public
    );
    let listed: Vec<String> = TYPES
        .iter()
        .map(|kind| {
            let file = format!("/etc/ssh/ssh_host_{kind}_key.pub");
            machine
                .chroot(&["ssh-keygen", "-l", "-f", &file])
                .trim()
                .to_owned()
        })
        .collect();
    let fingerprints = between(
        "-----BEGIN SSH HOST KEY FINGERPRINTS-----",
        "-----END SSH HOST KEY FINGERPRINTS-----",
    );
    // As logger(1) of util-linux writes them: `<14>Oct  2 07:05:09 cloud-init: `.
    let texts: Vec<&str> = fingerprints
        .iter()
        .map(|line| {
            let (head, text) = line.split_once(" cloud-init: ").unwrap();
            assert!(
                head.starts_with("<14>") && head.len() == "<14>Oct  2 07:05:09".len(),
                "{line}"
            );
            text
        })
        .collect();
    assert_eq!(texts, listed);
    let rule = "#".repeat(61);
    assert_eq!(
        console.lines().filter(|line| line.ends_with(&rule)).count(),
        2,
        "{console}"
    );
    assert!(
        console.contains("Authorized keys from /home/web/.ssh/authorized_keys for user web+"),
        "{console}"
    );
    assert!(
        console
            .lines()
            .any(|line| line.starts_with("ci-info: | ssh-ed25519 | ")),
        "{console}"
    );

    let said = machine.run_inside(&["--seed", "/seed", "boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let again = machine.text("console");
    let blocks = |text: &str| text.matches("-----BEGIN SSH HOST KEY").count();
    assert_eq!(blocks(&again), blocks(&console), "shown again: {again}");
    let plan = machine.run_inside(&["--seed", "/seed", "plan"]);
    assert!(!plan.text.contains("console"), "{plan:?}");
}

//! Files that the configuration spells out, as root in a throw-away Debian.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::thread;

use support::Case;
use support::debian::Debian;

/// Debian's own: users and groups that every installation has.
const WWW_DATA: u32 = 33;
const ADM: u32 = 4;

#[test]
fn files_are_written_with_their_owner_mode_and_directories() {
    let Some(machine) = Debian::with_image("system_info: {default_user: {name: deploy}}\n") else {
        return;
    };
    machine.write("srv/there/kept", "old\n");
    machine.write("etc/real.conf", "old\n");
    symlink("real.conf", machine.path("etc/linked.conf")).unwrap();
    fs::create_dir(machine.path("srv/closed")).unwrap();
    machine.chroot(&["chmod", "2750", "/srv/closed"]);
    machine.chroot(&["chown", "www-data:adm", "/srv/there/kept"]);
    machine.chroot(&["mknod", "/srv/device", "c", "1", "3"]);
    machine.write(
        "seed/user-data",
        "#cloud-config
write_files:
  - {path: /etc/motd.d/10, content: \"hello\\n\"}
  - {path: /srv/new/a/b, content: x, owner: 'www-data:adm', permissions: '0640'}
  - {path: /srv/closed/c, content: x, owner: www-data}
  - {path: /usr/local/bin/su2, content: x, owner: 'www-data:adm', permissions: '6755'}
  - {path: /srv/there/kept, content: new, owner: ''}
  - {path: /etc/linked.conf, content: new}
  - {path: /srv/empty}
  - {path: /srv/gz, encoding: gz+b64, content: H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==}
  - {path: /srv/numbers, owner: '1234:5678'}
  - {path: /srv/late/f, owner: deploy, permissions: '4755', content: early}
  - {path: /srv/device, content: x}
  - {path: /srv/after, content: x}
  - {path: /srv/deferred, defer: true, owner: 'deploy:deploy', content: late}
",
    );
    machine.write("seed/meta-data", "instance-id: i-1\n");
    let seed = machine.path("seed").display().to_string();

    let plan = machine.run(&["--seed", &seed, "plan"]);
    assert!(plan.text.contains("+hello"), "{plan:?}");
    assert!(!machine.path("srv/new").exists(), "a plan wrote something");

    let boot = machine.run(&["--seed", &seed, "boot"]);
    assert_eq!(boot.code, 0, "{boot:?}");
    let status = machine.run(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    for says in [
        "/srv/late/f is root's for now: there is no user `deploy`",
        "`defer: true`",
    ] {
        assert!(status.text.contains(says), "{says}: {status:?}");
    }

    #[rustfmt::skip]
    let table = [
        // path                 text       mode     owner
        ("etc/motd.d/10",       "hello\n", 0o644,   (0, 0)),
        ("srv/new/a/b",         "x",       0o640,   (WWW_DATA, ADM)),
        ("srv/closed/c",        "x",       0o644,   (WWW_DATA, 0)),
        ("usr/local/bin/su2",   "x",       0o6755,  (WWW_DATA, ADM)),
        ("srv/there/kept",      "new",     0o644,   (WWW_DATA, ADM)),
        ("etc/real.conf",       "new",     0o644,   (0, 0)),
        ("srv/empty",           "",        0o644,   (0, 0)),
        ("srv/gz",              "hello",   0o644,   (0, 0)),
        ("srv/numbers",         "",        0o644,   (1234, 5678)),
        ("srv/late/f",          "early",   0o755,   (0, 0)),
        ("srv/after",           "x",       0o644,   (0, 0)),
    ];
    for (path, text, mode, owner) in table {
        assert_eq!(machine.text(path), text, "{path}");
        assert_eq!(
            (machine.mode(path), machine.owner(path)),
            (mode, owner),
            "{path}"
        );
    }
    for dir in ["srv/new", "srv/new/a"] {
        assert_eq!(
            (machine.mode(dir), machine.owner(dir)),
            (0o755, (WWW_DATA, ADM)),
            "{dir}"
        );
    }
    assert_eq!(
        machine.mode("srv/closed"),
        0o2750,
        "a directory that was there changed"
    );
    let deploy: u32 = machine.entry("etc/passwd", "deploy").unwrap()[2]
        .parse()
        .unwrap();
    assert_eq!(machine.owner("srv/deferred").0, deploy);

    let plan = machine.run(&["--seed", &seed, "plan"]);
    assert_eq!(plan.code, 0, "a second plan: {plan:?}");
}

#[test]
fn what_is_appended_is_appended_once_for_each_entry_whatever_happens() {
    let case = Case::made(
        "#cloud-config
write_files:
  - {path: /etc/list, content: \"line\\n\", append: true}
  - {path: /etc/list, content: \"line\\n\", append: true}
  - {path: /etc/own, content: \"a\\n\"}
  - {path: /etc/own, content: \"b\\n\", append: true}
",
        "instance-id: i-1\n",
    );
    case.write_seed("root/etc/list", "line\n");
    let plan = case.run(&["plan"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    assert_eq!(plan.stdout.matches("+line").count(), 2, "{plan:?}");

    let apply = case.run(&["apply"]);
    assert_eq!(apply.code, 0, "{apply:?}");
    assert_eq!(case.text("etc/list"), "line\nline\nline\n");
    assert_eq!(case.text("etc/own"), "a\nb\n");

    for again in ["by force", "by force, after a crash"] {
        let run = case.run(&["run", "write_files", "--force"]);
        assert_eq!(run.code, 0, "{again}: {run:?}");
        assert_eq!(case.text("etc/list"), "line\nline\nline\n", "{again}");
        assert_eq!(case.text("etc/own"), "a\nb\n", "{again}");
        // The record was made, and the power went before the text was there.
        fs::write(case.path("etc/list"), "line\n").unwrap();
        let run = case.run(&["run", "write_files", "--force"]);
        assert_eq!(run.code, 0, "{again}: {run:?}");
        assert_eq!(case.text("etc/list"), "line\nline\nline\n", "{again}");
    }
}

#[test]
fn a_source_is_asked_with_its_headers_which_are_shown_nowhere() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/f?token=hunter2", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap();
            let asked = String::from_utf8_lossy(&bytes[..read]).to_ascii_lowercase();
            let is_right = asked.contains("x-key: hunter2") && asked.contains("token=hunter2");
            let body = if is_right { "right" } else { "wrong" };
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n";
            write!(stream, "{head}{body}").unwrap();
        }
    });
    let entry = format!("{{path: /etc/f, source: {{uri: '{url}', headers: {{X-Key: hunter2}}}}}}");
    let case = Case::made(
        &format!("#cloud-config\nwrite_files: [{entry}]\n"),
        "instance-id: i-1\n",
    );
    let plan = case.run(&["plan"]);
    let apply = case.run(&["apply"]);
    assert_eq!(apply.code, 0, "{apply:?}");
    assert_eq!(case.text("etc/f"), "right");
    for said in [plan, apply, case.run(&["status"])] {
        let said = format!("{}{}", said.stdout, said.stderr);
        assert!(!said.contains("hunter2"), "{said}");
    }
    for (path, mode) in case.files_holding("hunter2") {
        assert_eq!(mode & 0o077, 0, "{path:?} may be read by others");
    }
}

#[test]
fn a_source_that_gives_nothing_leaves_the_content_and_a_warning() {
    let case = Case::made(
        "#cloud-config
write_files:
  - {path: /etc/a, source: {uri: 'file:///etc/origin'}, content: spare}
  - {path: /etc/b, source: {uri: 'file:///etc/none'}, content: spare}
  - {path: /etc/c, source: {uri: 'file:///etc/none'}}
  - {path: /etc/d, content: x}
",
        "instance-id: i-1\n",
    );
    case.write_seed("root/etc/origin", "from there");
    let apply = case.run(&["apply"]);
    assert_eq!(apply.code, 1, "{apply:?}");
    for (path, text) in [("etc/a", "from there"), ("etc/b", "spare"), ("etc/d", "x")] {
        assert_eq!(case.text(path), text, "{path}");
    }
    assert!(!case.path("etc/c").exists());
    let all = format!("{}{}", apply.stdout, apply.stderr);
    for says in [
        "/etc/b holds its `content`",
        "cannot fetch file:///etc/none",
    ] {
        assert!(all.contains(says), "{says}: {apply:?}");
    }
}

#[test]
fn bootcmd_runs_at_each_boot_before_the_files_and_its_last_exit_code_counts() {
    let Some(machine) = Debian::with_image("system_info: {default_user: {name: deploy}}\n") else {
        return;
    };
    machine.write(
        "seed/user-data",
        "#cloud-config
bootcmd:
  - echo $INSTANCE_ID >> /srv/ids
  - [sh, -c, 'test -e /srv/file || echo before >> /srv/order']
  - 'false'
  - test ! -e /srv/fail
write_files:
  - {path: /srv/file, content: x}
",
    );
    machine.write("seed/meta-data", "instance-id: i-1\n");
    let seed = machine.path("seed").display().to_string();
    for boot in 1..=2 {
        let said = machine.run(&["--seed", &seed, "boot"]);
        assert_eq!(said.code, 0, "{said:?}");
        let status = machine.run(&["status"]);
        assert_eq!(status.code, 0, "{status:?}");
        assert_eq!(machine.lines("srv/ids"), boot, "boot {boot}");
    }
    assert_eq!(machine.text("srv/ids"), "i-1\ni-1\n");
    assert_eq!(machine.text("srv/order"), "before\n");
    machine.write("srv/fail", "");
    machine.run(&["--seed", &seed, "boot"]);
    let status = machine.run(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    assert!(
        status.text.contains("`bootcmd` ended with exit code 1"),
        "{status:?}"
    );
}

#[test]
fn names_follow_user_data_and_the_images_template() {
    let case = Case::made(
        "#cloud-config\nfqdn: web.example.com\nmanage_etc_hosts: true\n",
        "instance-id: i-1\nlocal-hostname: ip-10-0-0-7.ec2.internal\n",
    );
    case.write_seed("root/etc/os-release", "ID=debian\n");
    case.write_seed(
        "root/etc/cloud/templates/hosts.debian.tmpl",
        "## template:jinja\n{# of the image -#}\n# kept\n127.0.1.1 {{fqdn}} {{hostname}}\n",
    );
    let boot = || {
        let said = case.run(&["boot"]);
        assert_eq!(said.code, 0, "{said:?}");
    };
    boot();
    assert_eq!(case.text("etc/hostname"), "web\n");
    assert_eq!(
        case.text("etc/hosts"),
        "# kept\n127.0.1.1 web.example.com web\n"
    );

    case.write_seed(
        "user-data",
        "#cloud-config\nhostname: other\nmanage_etc_hosts: localhost\n",
    );
    boot();
    assert_eq!(case.text("etc/hostname"), "other\n");
    let hosts = case.text("etc/hosts");
    assert!(
        hosts.ends_with("127.0.1.1\tip-10-0-0-7.ec2.internal\tother\n"),
        "{hosts}"
    );

    case.write_seed(
        "meta-data",
        "instance-id: i-2\nlocal-hostname: ip-10-0-0-8\n",
    );
    boot();
    assert_eq!(
        case.text("etc/hostname"),
        "other\n",
        "a new instance has its own name"
    );
    let plan = case.run(&["plan"]);
    assert_eq!(plan.code, 0, "{plan:?}");
}

/// Nothing but `runcmd` runs, so that all output is its own.
const RUNCMD_ALONE: &str = "
cloud_init_modules: [set-hostname]
cloud_config_modules: [runcmd]
cloud_final_modules: [scripts-user]
";

/// What a document's `runcmd` prints, and how the boot ends for it.
fn run_items(machine: &Debian, number: usize, list: &str, settings: &str) -> (i32, String, String) {
    machine.write("etc/firstlight/config.d/60.yaml", settings);
    machine.write("seed/user-data", &format!("#cloud-config\nruncmd:\n{list}"));
    machine.write("seed/meta-data", &format!("instance-id: i-{number}\n"));
    machine.write("var/log/firstlight-output.log", "before\n");
    let seed = machine.path("seed").display().to_string();
    let boot = machine.run(&["--seed", &seed, "boot"]);
    assert_eq!(boot.code, 0, "{boot:?}");
    let status = machine.run(&["status", "--long"]);
    let said = machine.text("var/log/firstlight-output.log");
    (status.code, said.replace("before\n", ""), status.text)
}

#[test]
fn each_item_of_runcmd_is_told_of_and_the_script_behaves_as_without_that() {
    let Some(machine) = Debian::with_image(RUNCMD_ALONE) else {
        return;
    };
    #[rustfmt::skip]
    let table = [
        // items                                                           exit code of each item
        ("- echo a\n- 'false'\n- echo $?\n",                                 "0 1 0"),
        ("- set -e\n- false && true\n- echo on\n- (exit 4)\n- echo no\n",  "0 1 0 4"),
        ("- set -eux\n- '! true'\n- echo $HOME_IS\n",                      "0 1 2"),
        ("- cd /usr\n- pwd\n- x=5\n- exit $x\n- echo no\n",               "0 0 0 5"),
        ("- exec echo gone\n- echo no\n",                                 "0"),
        ("- |\n  cat <<EOF\n  it's\n  EOF\n- nosuch\n- [echo, \"a b\", 3]\n", "0 127 0"),
        ("- 'f() { return 7; }'\n- f\n- readonly _fl_t=1\n- IFS=0\n- echo $?\n", "0 7 0 0 0"),
        ("- true &\n- wait\n- umask 077\n- umask\n",         "0 0 0 0"),
    ];
    for (number, (list, codes)) in table.into_iter().enumerate() {
        let (_, said, status) = run_items(&machine, number, list, "{}\n");
        let dir = format!("var/lib/firstlight/instances/i-{number}");
        // The script itself is there, without marks, and behaves so.
        let script = format!("/{dir}/scripts/runcmd");
        assert!(machine.path(&script[1..]).exists(), "{list}: {status}");
        let plain = machine.chroot(&["sh", "-c", &format!("{script} 2>&1 || :")]);
        let marked = format!("/{dir}/runcmd-items/runcmd");
        assert_eq!(said.replace(&marked, &script), plain, "{list}: {status}");
        let told = status
            .lines()
            .filter(|line| line.starts_with("runcmd item"));
        let told: Vec<&str> = told
            .map(|line| {
                line.split("exit code ")
                    .nth(1)
                    .unwrap()
                    .split(' ')
                    .next()
                    .unwrap()
            })
            .collect();
        assert_eq!(told.join(" "), codes, "{list}: {status}");
        assert_eq!(
            machine.mode(&format!("{dir}/runcmd-items/items.json")),
            0o600
        );
    }
    for secret in ["run/firstlight/status.json", "run/firstlight/result.json"] {
        assert!(
            !machine.text(secret).contains("| "),
            "{secret} holds output"
        );
    }
}

#[test]
fn in_strict_mode_the_first_item_that_fails_ends_runcmd_and_is_named() {
    let Some(machine) = Debian::with_image(RUNCMD_ALONE) else {
        return;
    };
    let strict = "firstlight: {runcmd: strict, script_home: true}\n";
    let list =
        "  - echo $HOME\n  - trap 'echo bye' EXIT\n  - sh -c 'echo why; exit 3'\n  - echo no\n";
    let (code, said, status) = run_items(&machine, 1, list, strict);
    assert_eq!((code, said.as_str()), (1, "/root\nwhy\nbye\n"), "{status}");
    for says in [
        "`runcmd` ended with exit code 3: its item 3 (part-001:5:5)",
        "runcmd item 3 (part-001:5:5): exit code 3",
    ] {
        assert!(status.contains(says), "{says}: {status}");
    }
    for (number, list, says) in [
        (
            2,
            "  - echo 'a\n  - b'\n",
            "in strict mode each item stands for itself",
        ),
        (
            3,
            "  - touch /ran\n  - if true; then\n  - fi\n",
            "in strict mode each item is a whole command",
        ),
    ] {
        let (code, said, status) = run_items(&machine, number, list, strict);
        assert_eq!((code, said.as_str()), (1, ""), "{list}: {status}");
        assert!(status.contains(says), "{list}: {status}");
    }
    assert!(!machine.path("ran").exists(), "something of it ran");
    let (code, said, _) = run_items(
        &machine,
        4,
        "  - if true; then\n  - echo yes\n  - fi\n",
        "{}\n",
    );
    assert_eq!(
        (code, said.as_str()),
        (0, "yes\n"),
        "what is not whole runs as one script"
    );
}

#[test]
fn what_documentation_shows_is_valid_and_what_is_not_is_named() {
    let case = Case::made("", "");
    fs::create_dir_all(case.root()).unwrap();
    case.write_seed(
        "good",
        "#cloud-config
hostname: web
fqdn: web.example.com
manage_etc_hosts: localhost
bootcmd: [ls, [cloud-init-per, once, name, mkfs, /dev/vdb]]
runcmd: [[ls, -l, /], [sh, -xc, 'echo $(date)'], ls -l /root]
write_files:
  - {path: /etc/a, encoding: b64, content: aGVsbG8=, owner: 'root:root', permissions: '0644'}
  - {path: /etc/b, content: !!binary aGVsbG8=, permissions: 0644}
  - {path: /etc/c, content: 15 * * * * root ship_logs, append: true, defer: true}
  - {path: /etc/d, source: {uri: 'https://h/x', headers: {Authorization: Basic x}}}
",
    );
    case.write_seed(
        "bad",
        "#cloud-config\nwrite_files: [{path: /a, permissions: 644, own: x}]\n",
    );
    let path = |name: &str| case.path(&format!("../seed/{name}")).display().to_string();
    let said = case.run(&["validate", &path("good")]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        !said.stdout.contains("warning") && !said.stdout.contains("error:"),
        "{said:?}"
    );
    let said = case.run(&["validate", &path("bad")]);
    for says in [
        "decimal: 644 is mode 1204",
        "unknown key `write_files[0].own`",
    ] {
        assert!(said.stdout.contains(says), "{says}: {said:?}");
    }
}

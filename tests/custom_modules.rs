//! Modules that an image brings along, in a Debian with real programs.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use support::debian::{Debian, Said};
use support::{Answer, Scratch, alone};

const DIR: &str = "usr/lib/firstlight/modules.d";
const META_DATA: &str = "instance-id: i-one\nlocal-hostname: calm\n";

/// Puts a module into the image.
fn install(debian: &Debian, name: &str, manifest: &str, program: &str) {
    debian.write(&format!("{DIR}/{name}.yaml"), manifest);
    debian.write(&format!("{DIR}/{name}"), program);
    for (path, mode) in [
        (DIR.to_owned(), 0o755),
        (format!("{DIR}/{name}.yaml"), 0o644),
        (format!("{DIR}/{name}"), 0o755),
    ] {
        set_mode(debian, &path, mode);
    }
}

fn set_mode(debian: &Debian, path: &str, mode: u32) {
    fs::set_permissions(debian.path(path), fs::Permissions::from_mode(mode)).unwrap();
}

fn manifest(name: &str, more: &str) -> String {
    format!("name: {name}\nsummary: for tests\nstage: config\n{more}\n")
}

/// What a boot with this user data came to.
fn booted(debian: &Debian, user_data: &str) -> Said {
    debian.run_with(user_data, META_DATA, &["boot"]);
    debian.run(&["status"])
}

#[test]
fn the_example_is_planned_done_once_and_known_to_every_command() {
    let Some(debian) = Debian::with_image("users: []\n") else {
        return;
    };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/custom-module");
    let text = |name: &str| fs::read_to_string(example.join(name)).unwrap();
    install(&debian, "sysctl", &text("sysctl.yaml"), &text("sysctl"));
    let user_data = "#cloud-config\nsysctl: {vm.swappiness: 10, net.core.somaxconn: 4096}\n";

    let file = "etc/sysctl.d/90-launch.conf";
    let plan = debian.run_with(user_data, META_DATA, &["plan", "sysctl"]);
    assert!(plan.text.contains("+vm.swappiness = 10"), "{plan:?}");
    assert!(!debian.path(file).exists());

    let status = booted(&debian, user_data);
    assert_eq!(status.code, 0, "{status:?}");
    assert_eq!(
        debian.text(file),
        "net.core.somaxconn = 4096\nvm.swappiness = 10\n"
    );
    let again = debian.run_with(user_data, META_DATA, &["plan", "sysctl"]);
    assert_eq!((again.code, again.text.trim()), (0, "nothing would change"));

    #[rustfmt::skip]
    let table = [
        (&["modules"][..],           "set parameters of the running kernel"),
        (&["modules", "sysctl"],     "net.core.somaxconn: 4096"),
        (&["schema"],                "parameters of the kernel by their names"),
        (&["run", "sysctl", "--force"], "already so"),
    ];
    for (args, says) in table {
        let said = debian.run(args);
        assert!(said.text.contains(says), "{args:?}: {said:?}");
    }
    let mine = debian.path("seed/user-data");
    let valid = debian.run(&["validate", mine.to_str().unwrap()]);
    assert_eq!(valid.code, 0, "{valid:?}");
    // Where the image is another one, nobody knows the key.
    let valid = alone(&["validate", mine.to_str().unwrap()]);
    assert!(valid.stdout.contains("unknown key `sysctl`"), "{valid:?}");

    let bad = debian.run_with(
        "#cloud-config\nsysctl: {swappiness: 10, vm.laptop_mode: 5}\n",
        "instance-id: i-two\n",
        &["plan"],
    );
    let says = "part-001:2:9: sysctl: expected names such as `vm.swappiness`";
    assert!(bad.text.contains(says), "{bad:?}");
}

#[test]
fn a_program_can_look_and_do_nothing_else() {
    let Some(debian) = Debian::with_image("users: []\nnosy: {token: tr0ub4dor}\n") else {
        return;
    };
    let program = r#"#!/bin/sh
read -r question
{
    echo "who: $(id -u) $(id -G)"
    for dir in /tmp /var/tmp /run /root /etc; do
        touch "$dir/x" 2>/dev/null && echo "wrote to $dir"
    done
    echo "arguments: $*"
    printf 'red: \033[31m\n'
    echo "asked: $question"
    env
} >&2
echo '{}'
"#;
    fs::set_permissions(debian.path("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    let keys = "keys: {nosy: {type: object, properties: {token: {type: string}}}}";
    install(&debian, "nosy", &manifest("nosy", keys), program);
    let status = booted(&debian, "");
    assert_eq!(status.code, 0, "{status:?}");
    let log = debian.text("var/log/firstlight-output.log");
    assert!(log.contains("who: 65534 65534\n"), "{log}");
    assert!(!log.contains("wrote to"), "{log}");
    assert!(log.contains("arguments: \n"), "{log}");
    assert!(
        log.contains(r#"asked: {"config":{"nosy":{"token":"‹secret›"}}"#),
        "{log}"
    );
    assert!(!log.contains("tr0ub4dor"), "{log}");
    assert!(!log.contains("HOME="), "{log}");

    // A look writes no log.
    fs::remove_file(debian.path("var/log/firstlight-output.log")).unwrap();
    let plan = debian.run_with("", "instance-id: i-two\n", &["plan", "nosy"]);
    assert!(plan.text.contains("who: 65534"), "{plan:?}");
    assert!(plan.text.contains("red: \u{fffd}[31m\n"), "{plan:?}");
    assert!(!debian.path("var/log/firstlight-output.log").exists());
}

#[test]
fn a_program_does_not_get_the_terminal_of_whoever_looks() {
    let Some(debian) = Debian::with_image("users: []\n") else {
        return;
    };
    let program = "#!/bin/sh\necho taken > /dev/tty\necho asked >&2\necho '{}'\n";
    install(&debian, "nosy", &manifest("nosy", ""), program);
    debian.write("seed/user-data", "");
    debian.write("seed/meta-data", META_DATA);
    let root = debian.path("").display().to_string();
    let line = format!(
        "{} --root {root} --seed {root}/seed plan nosy",
        env!("CARGO_BIN_EXE_firstlight")
    );
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("asked"), "{shown}");
    assert!(!shown.contains("taken"), "{shown}");
}

#[test]
fn a_program_that_gives_no_answer_is_an_error_that_says_why_and_all_else_goes_on() {
    #[rustfmt::skip]
    let table = [
        ("exit 3",                         "ended with exit code 3"),
        ("sleep 60 & wait",                "did not end within 1 s"),
        ("head -c 2000000 /dev/zero | tr '\\0' x; exit 0", "its answer has 1 MiB or more"),
        ("exec yes x",                     "its answer has 1 MiB or more"),
        ("printf '{}\\0{}'",              "answer of mine:1:3: the answer is refused: it is not JSON"),
        ("echo done",                      "answer of mine:1:1: the answer is refused: it is not JSON"),
        ("echo '{\"steps\": [{\"name\": \"a\", \"effects\": [{\"fiel\": {}}]}]}'", "unknown key `fiel`, expected one of `file`"),
    ];
    for (line, says) in table {
        let Some(debian) = Debian::with_image("users: []\n") else {
            return;
        };
        install(
            &debian,
            "mine",
            &manifest("mine", "timeout: 1s"),
            &format!("#!/bin/sh\n{line}\n"),
        );
        let status = booted(&debian, "#cloud-config\nhostname: mine\n");
        assert_eq!(status.code, 1, "{line}: {status:?}");
        assert!(status.text.contains(says), "{line}: {status:?}");
        assert_eq!(debian.text("etc/hostname").trim(), "mine", "{line}");
    }
}

#[test]
fn what_others_than_root_may_change_is_not_run() {
    let program = "#!/bin/sh\ntouch /srv/run\necho '{}'\n";
    #[rustfmt::skip]
    let table = [
        ("",           Some(1000), 0o755),
        ("/mine",      Some(1000), 0o755),
        ("/mine",      None,       0o775),
        ("/mine.yaml", None,       0o646),
    ];
    for (path, owner, mode) in table {
        let Some(debian) = Debian::with_image("users: []\n") else {
            return;
        };
        install(&debian, "mine", &manifest("mine", ""), program);
        let spoilt = format!("{DIR}{path}");
        set_mode(&debian, &spoilt, mode);
        chown(debian.path(&spoilt), owner, None).unwrap();
        let status = booted(&debian, "");
        assert_eq!(status.code, 1, "{path}: {status:?}");
        let says = format!("the module is not used: others than root may change /{DIR}{path}");
        assert!(status.text.contains(&says), "{path}: {status:?}");
        let modules = debian.run(&["modules"]);
        assert!(!modules.text.contains("for tests"), "{path}: {modules:?}");
    }
}

#[test]
fn a_program_may_be_larger_than_other_files_that_are_read() {
    let Some(debian) = Debian::with_image("users: []\n") else {
        return;
    };
    let program = "#!/bin/sh\necho '{\"problems\": [{\"message\": \"so large\"}]}'\nexit\n";
    install(&debian, "mine", &manifest("mine", ""), program);
    let path = debian.path(&format!("{DIR}/mine"));
    let file = fs::File::options().write(true).open(path);
    file.unwrap().set_len(17 << 20).unwrap();
    let status = booted(&debian, "");
    assert!(status.text.contains("so large"), "{status:?}");
}

#[test]
fn where_a_program_cannot_run_its_module_is_left_undone_and_that_is_said() {
    let Some(debian) = Debian::with_image("users: []\n") else {
        return;
    };
    install(
        &debian,
        "mine",
        &manifest("mine", ""),
        "#!/usr/bin/no-such-program\n",
    );
    let said = debian.run_with("", META_DATA, &["apply"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.text.contains("needs the live machine"), "{said:?}");
    // It is due when it can run, and then it is done.
    let file = r#"{"file": {"path": "/srv/a", "content": "a"}}"#;
    let answer = format!(r#"{{"steps": [{{"name": "a", "effects": [{file}]}}]}}"#);
    let program = format!("#!/bin/sh\necho '{answer}'\n");
    install(&debian, "mine", &manifest("mine", ""), &program);
    debian.run_with("", META_DATA, &["apply"]);
    assert_eq!(debian.text("srv/a"), "a");
    let again = debian.run_with("", META_DATA, &["apply"]);
    let row = again.text.lines().find(|line| line.contains("mine"));
    assert!(row.unwrap().contains("done before"), "{again:?}");
}

/// A root with this module and nothing else, and a file of user data in it.
fn image(manifest: &str, user_data: &str) -> Scratch {
    let scratch = Scratch::new();
    let dir = scratch.path().join(DIR);
    fs::create_dir_all(&dir).unwrap();
    for dir in dir.ancestors().take(4) {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (name, text, mode) in [
        ("site.yaml", manifest, 0o644),
        ("site", "#!/bin/sh\n", 0o755),
    ] {
        fs::write(dir.join(name), text).unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::write(scratch.path().join("user-data"), user_data).unwrap();
    scratch
}

/// What is said of the user data in that root, which is called ROOT.
fn checked(image: &Scratch, args: &[&str]) -> Answer {
    let root = image.path().to_str().unwrap();
    let file = format!("{root}/user-data");
    let mut said = alone(&[&["--root", root, "validate", &file], args].concat());
    said.stdout = said.stdout.replace(root, "ROOT");
    said
}

#[test]
fn a_broken_manifest_is_told_of_where_a_file_is_checked() {
    #[rustfmt::skip]
    let table = [
        ("name: site\nsummary: x\nstage: late\n",
         "error: stage: expected one of `identity`, `config`, `final`\n \
          --> /usr/lib/firstlight/modules.d/site.yaml:3:8\n  |\n3 | stage: late\n  |        ^\n\n"),
        ("name: site\nsummary: x\nstage: final\nafter: runcmd\n",
         "error: after: stage final has no module `runcmd`\n \
          --> /usr/lib/firstlight/modules.d/site.yaml:4:8\n  |\n4 | after: runcmd\n  |        ^\n  \
          = `firstlight modules` lists them\n\n"),
        ("name: site\nsummary: x\nstage: config\nkeys: {site: {type: object, default: {password: hunter2}, tpye: a}}\n",
         "error: keys.site: unknown key `tpye`"),
    ];
    for (manifest, says) in table {
        let image = image(manifest, "#cloud-config\nhostname: web\n");
        let said = checked(&image, &[]);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.stdout.starts_with(says), "{said:?}");
        let sums = [
            "/usr/lib/firstlight/modules.d/site.yaml: 1 error\n",
            "ROOT/user-data: fine\n",
        ];
        assert!(said.stdout.ends_with(&sums.concat()), "{said:?}");
        assert!(!said.stdout.contains("hunter2"), "{said:?}");
    }
    let image = image("name: site\nsummary: x\n", "#cloud-config\nsite: {}\n");
    let said = checked(&image, &["--format", "json"]);
    let rows: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(
        rows[0],
        serde_json::json!({
            "file": "/usr/lib/firstlight/modules.d/site.yaml", "part": null, "line": 1, "column": 1,
            "severity": "error", "message": "missing key `stage`", "hint": null,
        })
    );
    assert_eq!(rows[1]["message"], "unknown key `site`", "{said:?}");
    let modules = alone(&["--root", image.path().to_str().unwrap(), "modules", "site"]);
    assert_eq!(modules.code, 1, "{modules:?}");
    assert!(
        modules
            .stderr
            .contains("site.yaml:1:1: missing key `stage`"),
        "{modules:?}"
    );
}

#[test]
fn a_module_that_others_could_exchange_is_not_used() {
    #[rustfmt::skip]
    let table = [
        // a directory of others     what the program is       is it used?
        ("usr/lib/firstlight",       "",                       false),
        ("",                         "",                       false),
        ("srv/open",                 "/srv/bin/site",          true),
        ("srv/open",                 "../../../../srv/bin/site", true),
        ("srv/open",                 "/srv/open/site",         false),
        ("srv/open",                 "/srv/open/link",         false),
        ("srv/open",                 "/srv/bin/loop",          false),
    ];
    for (open, program, is_used) in table {
        let image = image("name: site\nsummary: x\nstage: config\n", "#cloud-config\n");
        let root = image.path();
        for dir in ["srv", "srv/bin", "srv/open"] {
            fs::create_dir(root.join(dir)).unwrap();
            fs::set_permissions(root.join(dir), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let own = root.join(DIR).join("site");
        for dir in ["srv/bin", "srv/open"] {
            fs::copy(&own, root.join(dir).join("site")).unwrap();
        }
        symlink("/srv/bin/site", root.join("srv/open/link")).unwrap();
        symlink("loop", root.join("srv/bin/loop")).unwrap();
        if !program.is_empty() {
            fs::remove_file(&own).unwrap();
            symlink(program, &own).unwrap();
        }
        fs::set_permissions(root.join(open), fs::Permissions::from_mode(0o777)).unwrap();
        let said = checked(&image, &[]);
        let refused = said
            .stdout
            .contains("others than root may change /usr/lib/firstlight/modules.d");
        assert_eq!(refused, !is_used, "{open} {program}: {said:?}");
    }
}

#[test]
fn a_section_is_held_against_its_manifest_where_a_file_is_checked() {
    let manifest = "name: site\nsummary: x\nstage: config\nkeys:\n  site:\n    type: object\n    \
        properties: {port: {type: integer, minimum: 1}, code: {type: string}}\n    required: [port]\n    \
        additionalProperties: false\n";
    #[rustfmt::skip]
    let table = [
        ("site: {port: 80, code: x}", 0, "ROOT/user-data: fine"),
        ("site: {port: 0}",           1, "error: site.port: expected an integer from 1"),
        ("site: {port: 80, prot: 1}", 1, "error: unknown key `site.prot`"),
        ("site: {code: x}",           1, "error: site: missing key `port`"),
        ("sites: {port: 80}",         2, "did you mean `site`?"),
    ];
    for (section, code, says) in table {
        for (head, args) in [("#cloud-config\n", &[][..]), ("", &["--image"])] {
            let image = image(manifest, &format!("{head}{section}\n"));
            let said = checked(&image, args);
            assert_eq!(said.code, code, "{section}: {said:?}");
            assert!(said.stdout.contains(says), "{section}: {said:?}");
            assert!(!said.stdout.contains("site.yaml"), "{section}: {said:?}");
        }
    }
}

//! The whole way, as root in a throw-away Debian: a generic image, a metadata service and a bucket
//! make a particular machine, over three boots and a new instance.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use lab::{Imds, Mood, S3};
use serde_json::{Value, json};
use support::debian::{Debian, SCRIPT};

#[test]
fn a_generic_image_becomes_a_particular_machine_once_for_each_instance() {
    let (Some(debian), Some(s3)) = (lab::program(SCRIPT), S3::start("AKIALAB", "lab/secret"))
    else {
        return;
    };
    s3.put("acme-site", "site/index.html", b"<h1>acme</h1>\n");
    s3.put("acme-site", "site/css/site.css", b"h1 { color: red }\n");
    let imds = Imds::start(instance("i-0aaaaaaaaaaaaaaa1", "one", &s3), Mood::Fair);
    let machine = Debian::new(&debian, &image(&imds, &s3));

    let plan = machine.run(&["plan"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    for line in [
        "+one",
        "user web",
        "+ /var/www/html/index.html",
        "run runcmd",
    ] {
        assert!(plan.text.contains(line), "{line}: {plan:?}");
    }
    assert!(
        !machine.path("var/lib/firstlight").exists(),
        "planning left something behind"
    );

    for boot in 1..=3 {
        let answer = machine.run(&["boot"]);
        assert_eq!(answer.code, 0, "boot {boot}: {answer:?}");
        let status = machine.run(&["status"]);
        assert_eq!(status.code, 0, "boot {boot}: {status:?}");
        assert!(
            status.text.contains("status: done"),
            "boot {boot}: {status:?}"
        );
        is_particular(&machine, "one", "leader", &format!("boot {boot}"));
        assert_eq!(machine.lines("var/lib/runcmd-runs"), 1, "boot {boot}");
        assert_eq!(machine.lines("var/lib/leader-runs"), 1, "boot {boot}");
        assert_eq!(machine.lines("var/lib/content-changes"), 1, "boot {boot}");
    }

    let plan = machine.run(&["plan"]);
    assert_eq!(
        plan.code, 0,
        "a fourth boot would change something: {plan:?}"
    );
    let region = machine.run(&["query", "v1.region"]);
    assert_eq!(region.text.trim(), "us-east-1", "{region:?}");
    let semaphores = machine.run(&["semaphores", "list"]);
    for name in [
        "users_groups",
        "scripts_user/runcmd",
        "election_run/leader-001",
    ] {
        let done = semaphores
            .text
            .lines()
            .any(|line| line.starts_with(name) && line.ends_with("done"));
        assert!(done, "{name}: {semaphores:?}");
    }

    s3.put("acme-site", "site/index.html", b"<h1>new</h1>\n");
    let run = machine.run(&["run", "content"]);
    assert!(run.text.contains("done before"), "{run:?}");
    let run = machine.run(&["run", "content", "--force"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.text.contains("2 objects, 1 fetched"), "{run:?}");
    assert_eq!(machine.text("var/www/html/index.html"), "<h1>new</h1>\n");
    assert_eq!(machine.lines("var/lib/content-changes"), 2);

    imds.become_instance(instance("i-0bbbbbbbbbbbbbbb2", "two", &s3));
    let answer = machine.run(&["boot"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    is_particular(&machine, "two", "follower", "a new instance");
    assert_eq!(
        machine.lines("var/lib/runcmd-runs"),
        2,
        "the script of a new instance"
    );
    assert_eq!(
        machine.lines("var/lib/leader-runs"),
        1,
        "a follower ran the leader's command"
    );
    for id in ["i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"] {
        let kept = machine.path("var/lib/firstlight/instances").join(id);
        assert_eq!(fs::metadata(kept).unwrap().mode() & 0o7777, 0o700, "{id}");
    }
    let id = machine.run(&["query", "v1.instance_id"]);
    assert_eq!(id.text.trim(), "i-0bbbbbbbbbbbbbbb2");
}

#[test]
fn what_a_power_cut_ended_is_not_begun_twice_and_what_can_be_repeated_is() {
    let Some(debian) = lab::program(SCRIPT) else {
        return;
    };
    // The agent is killed outright: once between a change and what follows it, once in a script.
    let machine = Debian::new(
        &debian,
        r#"
users: []
content:
  - source: file:///srv/origin
    dest: /srv/licenses
    on_change: ["echo followed >> /var/lib/followed; test -e /var/lib/again || { touch /var/lib/again; kill -9 $PPID; sleep 60; }"]
"#,
    );
    fs::create_dir_all(machine.path("srv/origin")).unwrap();
    fs::write(machine.path("srv/origin/GPL"), "free\n").unwrap();
    let seed = machine.path("seed");
    fs::create_dir(&seed).unwrap();
    fs::write(
        seed.join("meta-data"),
        "instance-id: i-1\nlocal-hostname: one\n",
    )
    .unwrap();
    let script = "Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n\n\
        --x\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho ran >> /var/lib/first\nkill -9 $PPID\nsleep 60\n\
        --x\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho ran >> /var/lib/second\n--x--\n";
    fs::write(seed.join("user-data"), script).unwrap();
    let seed = seed.to_str().unwrap().to_owned();
    let boot = || machine.run(&["--seed", &seed, "boot"]);

    assert_eq!(
        boot().code,
        -1,
        "the command that follows content kills the agent"
    );
    assert_eq!(machine.lines("var/lib/followed"), 1);
    assert_eq!(boot().code, -1, "the script kills the agent");
    assert_eq!(
        machine.lines("var/lib/followed"),
        2,
        "what follows a change was lost"
    );
    assert_eq!(machine.lines("var/lib/first"), 1);

    for _ in 0..2 {
        let answer = boot();
        assert_eq!(answer.code, 0, "{answer:?}");
        let status = machine.run(&["status"]);
        assert_eq!(status.code, 2, "{status:?}");
        for says in [
            "begun and did not end",
            "firstlight run scripts_user --force",
        ] {
            assert!(status.text.contains(says), "{says}: {status:?}");
        }
        assert_eq!(
            machine.lines("var/lib/first"),
            1,
            "a script was begun twice"
        );
        assert!(
            !machine.path("var/lib/second").exists(),
            "a script ran after one that was cut off"
        );
    }
    assert_eq!(machine.text("srv/licenses/GPL"), "free\n");
    assert_eq!(machine.lines("var/lib/followed"), 2);
}

#[test]
fn scripts_run_as_often_as_they_say() {
    let Some(debian) = lab::program(SCRIPT) else {
        return;
    };
    let machine = Debian::new(&debian, "{}\n");
    let seed = machine.path("seed");
    fs::create_dir(&seed).unwrap();
    let note = |name: &str| format!("#!/bin/sh\necho $INSTANCE_ID >> /var/lib/{name}\n");
    let parts = [
        (
            "text/cloud-boothook",
            format!("#cloud-boothook\n{}", note("boothook")),
        ),
        ("text/x-shellscript-per-boot", note("boot")),
        ("text/x-shellscript-per-instance", note("instance")),
        ("text/x-shellscript-per-once", note("once")),
        ("text/x-shellscript", note("script")),
    ];
    let parts = parts.map(|(kind, text)| format!("--x\nContent-Type: {kind}\n\n{text}"));
    let head = "Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n\n";
    fs::write(
        seed.join("user-data"),
        format!("{head}{}\n--x--\n", parts.join("\n")),
    )
    .unwrap();
    let mut counts = Vec::new();
    for id in ["i-1", "i-1", "i-2"] {
        fs::write(seed.join("meta-data"), format!("instance-id: {id}\n")).unwrap();
        let answer = machine.run(&["--seed", seed.to_str().unwrap(), "boot"]);
        assert_eq!(answer.code, 0, "{answer:?}");
        let status = machine.run(&["status"]);
        assert_eq!(status.code, 0, "{status:?}");
        assert!(!status.text.contains("has changed"), "{id}: {status:?}");
        let files = ["boothook", "boot", "instance", "once", "script"];
        counts.push(files.map(|file| machine.lines(&format!("var/lib/{file}"))));
    }
    //                    boothook, per boot, per instance, once, script
    assert_eq!(counts, [[1, 1, 1, 1, 1], [2, 2, 1, 1, 1], [3, 3, 2, 1, 2]]);
    assert_eq!(machine.text("var/lib/boothook"), "i-1\ni-1\ni-2\n");
    assert_eq!(
        machine.text("var/lib/script"),
        "\n\n",
        "a script does not learn the instance's id"
    );
}

/// What is baked once into the image, for every customer of it.
fn image(imds: &Imds, s3: &S3) -> String {
    format!(
        r#"
datasource_list: [Ec2]
datasource: {{Ec2: {{metadata_urls: ['{}']}}}}
system_info: {{default_user: {{name: web, shell: /bin/bash, groups: [adm], sudo: 'ALL=(ALL) NOPASSWD:ALL'}}}}
content:
  - source: "s3://{{{{ params.bucket }}}}/site/"
    dest: /var/www/html
    endpoint: {}
    owner: www-data:www-data
    delete: true
    on_change: ["echo changed >> /var/lib/content-changes"]
election:
  leader: {{units: [db-primary.service], run: ["echo $FIRSTLIGHT_ROLE >> /var/lib/leader-runs"]}}
  follower: {{units: [db-replica.service]}}
runcmd:
  - echo ran >> /var/lib/runcmd-runs
"#,
        imds.url(),
        s3.endpoint()
    )
}

/// The first instance of the launch leads, the second follows.
fn instance(id: &str, name: &str, s3: &S3) -> Value {
    let mut tree = lab::aws_mock();
    let meta = &mut tree["meta-data"];
    meta["instance-id"] = json!(id);
    meta["local-hostname"] = json!(format!("{name}.ec2.internal"));
    meta["ami-launch-index"] = json!(if name == "one" { "0" } else { "1" });
    meta["public-keys"] = json!({"0=launch": {"openssh-key": KEY}});
    let role = s3.role_credentials().to_string();
    meta["iam"] = json!({"security-credentials": {"web": role}});
    tree["dynamic"]["instance-identity"]["document"] =
        json!(json!({"instanceId": id, "region": "us-east-1"}).to_string());
    tree["user-data"] = json!("bucket=acme-site");
    tree
}

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvGQ1bnAdKyJfzbb0xMv7kUJ5cDpBF3f8Wvpvh6XbJ8 launch";

/// Name, account, key, content and role of this instance.
fn is_particular(machine: &Debian, name: &str, role: &str, when: &str) {
    assert_eq!(machine.text("etc/hostname").trim(), name, "{when}");
    let passwd = machine.text("etc/passwd");
    let web = passwd
        .lines()
        .find(|line| line.starts_with("web:"))
        .unwrap();
    assert!(web.ends_with(":/home/web:/bin/bash"), "{when}: {web}");
    let uid: u32 = web.split(':').nth(2).unwrap().parse().unwrap();
    let shadow = machine.text("etc/shadow");
    assert!(
        shadow.lines().any(|line| line.starts_with("web:!")),
        "{when}: not locked"
    );
    let keys = fs::metadata(machine.path("home/web/.ssh/authorized_keys")).unwrap();
    assert_eq!(
        (keys.uid(), keys.permissions().mode() & 0o7777),
        (uid, 0o600),
        "{when}"
    );
    assert!(
        machine.text("home/web/.ssh/authorized_keys").contains(KEY),
        "{when}"
    );
    assert!(
        machine
            .text("root/.ssh/authorized_keys")
            .contains("login as the user"),
        "{when}"
    );
    let page = fs::metadata(machine.path("var/www/html/index.html")).unwrap();
    assert_eq!(
        (page.uid(), page.gid()),
        (33, 33),
        "{when}: www-data owns it"
    );
    let env = machine.text("run/firstlight/role.env");
    assert!(
        env.contains(&format!("FIRSTLIGHT_ROLE={role}\n")),
        "{when}: {env}"
    );
}

//! The built binary mirrors a bucket of a real S3 server that checks signatures, with the
//! credentials of a role that it learns from a metadata service.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use lab::{Imds, Mood, S3};
use serde_json::{Value, json};
use support::Scratch;

#[test]
fn a_bucket_named_in_user_data_becomes_a_directory_and_follows_it() {
    let Some(s3) = S3::start("AKIALAB", "lab/secret") else {
        return;
    };
    s3.put("acme-site", "site/index.html", b"one");
    s3.put("acme-site", "site/css/a b+ü.css", b"two");
    s3.put("acme-site", "site/big.bin", &vec![7; 9_000_000]);
    s3.put("acme-site", "site-old/index.html", b"of another site");
    s3.put("acme-site", "other.txt", b"of nobody");
    let role = s3.role_credentials();
    let imds = Imds::start(instance("bucket=acme-site", &role), Mood::Fair);
    let machine = Machine::new(&imds, &s3, "delete: true");

    let (code, plan) = machine.run(&["plan", "content"]);
    assert_eq!(code, 2, "{plan}");
    assert!(plan.contains("+ /var/www/html/index.html"), "{plan}");
    assert!(
        !machine.path("var/www").exists(),
        "planning fetched something"
    );

    let (code, said) = machine.run(&["apply"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("3 objects, 3 fetched, 0 deleted"), "{said}");
    assert_eq!(machine.files(), ["big.bin", "css/a b+ü.css", "index.html"]);
    assert_eq!(
        fs::read(machine.path("var/www/html/big.bin")).unwrap(),
        vec![7; 9_000_000]
    );
    let mode = fs::metadata(machine.path("var/www/html/index.html"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o644);

    let (_, said) = machine.run(&["run", "content", "--force"]);
    assert!(said.contains("already so"), "{said}");

    s3.put("acme-site", "site/index.html", b"three");
    s3.put("acme-site", "site/new/page.html", b"four");
    s3.delete("acme-site", "site/css/a b+ü.css");
    let (_, said) = machine.run(&["run", "content", "--force"]);
    assert!(said.contains("3 objects, 2 fetched, 1 deleted"), "{said}");
    assert_eq!(machine.files(), ["big.bin", "index.html", "new/page.html"]);
    assert_eq!(
        fs::read(machine.path("var/www/html/index.html")).unwrap(),
        b"three"
    );
    assert!(
        !machine.path("var/www/html/css").exists(),
        "an empty folder stays"
    );

    // Somebody spoils a file: it is put right, and only it.
    fs::write(machine.path("var/www/html/index.html"), "spoilt").unwrap();
    let (_, said) = machine.run(&["run", "content", "--force"]);
    assert!(said.contains("3 objects, 1 fetched, 0 deleted"), "{said}");

    for part in ["AccessKeyId", "SecretAccessKey", "Token"] {
        let found = machine.readable_by_others(role[part].as_str().unwrap());
        assert!(found.is_empty(), "{part}: {found:?}");
    }
}

#[test]
fn what_is_wrong_with_a_bucket_costs_its_entry_and_nothing_else() {
    let Some(s3) = S3::start("AKIALAB", "lab/secret") else {
        return;
    };
    s3.put("good", "site/index.html", b"good");
    let role = s3.role_credentials();
    let mut wrong = role.clone();
    wrong["SecretAccessKey"] = json!("another");
    #[rustfmt::skip]
    let table = [
        // user data           role       options                  what is said
        ("bucket=missing",     &role,     "",                      "there is no bucket `missing`"),
        ("bucket=good",        &wrong,    "",                      "access denied (SignatureDoesNotMatch)"),
        ("bucket=good",        &role,     "verify: sha256",        "nothing to verify it by"),
        ("bucket=BAD",         &role,     "",                      "3 to 63 lower-case letters"),
        ("site=good",          &role,     "",                      "parameter `bucket` is not given"),
    ];
    for (user_data, role, options, says) in table {
        let imds = Imds::start(instance(user_data, role), Mood::Fair);
        let machine = Machine::new(&imds, &s3, options);
        let (code, said) = machine.run(&["apply"]);
        assert_eq!(code, 1, "{user_data}: {said}");
        assert!(said.contains(says), "{user_data}: {said}");
        assert!(
            said.contains("/etc/hostname"),
            "{user_data}: the others did not go on: {said}"
        );
        assert!(
            machine.files().is_empty(),
            "{user_data}: {:?}",
            machine.files()
        );
        let (code, status) = machine.run(&["status"]);
        assert_eq!(code, 1, "{user_data}: {status}");
        let secret = role["SecretAccessKey"].as_str().unwrap();
        assert!(!said.contains(secret), "{user_data}: {said}");
    }

    let imds = Imds::start(instance("bucket=good", &role), Mood::Fair);
    let sum = "770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c";
    s3.put(
        "good",
        "site/SHA256SUMS",
        format!("{sum}  index.html\n").as_bytes(),
    );
    let machine = Machine::new(&imds, &s3, "verify: sha256");
    let (code, said) = machine.run(&["apply"]);
    assert_eq!(code, 0, "{said}");
    s3.put("good", "site/index.html", b"bad");
    let (code, said) = machine.run(&["run", "content", "--force"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("does not match SHA256SUMS"), "{said}");
    assert_eq!(
        fs::read(machine.path("var/www/html/index.html")).unwrap(),
        b"good"
    );

    let mut tree = instance("bucket=good", &role);
    tree["meta-data"].as_object_mut().unwrap().remove("iam");
    imds.become_instance(tree);
    let (_, said) = Machine::new(&imds, &s3, "").run(&["apply"]);
    assert!(said.contains("this instance has no role"), "{said}");
}

#[test]
fn a_key_that_is_no_path_below_the_destination_refuses_all_of_the_entry() {
    #[rustfmt::skip]
    let table: [(&[&str], &str); 6] = [
        (&["site/ok", "site/../../etc/passwd"],  "a component `.` or `..`"),
        (&["site/ok", "site//etc/passwd"],       "an empty component"),
        (&["site/ok", "site/a/./b"],             "a component `.` or `..`"),
        (&["site/ok", "site/a", "site/a/b"],     "has `a` both as a file and as a folder"),
        (&["site/ok", "site/bad\u{7}\n/../x"],    "`site/bad\\u{7}\\n/../x`"),
        (&["site/ok", "elsewhere/x"],            "lists `elsewhere/x`, which is not in it"),
    ];
    for (keys, says) in table {
        let store = hostile_store(keys);
        let scratch = Machine::image(&format!(
            "content: [{{source: 's3://acme-site/site', dest: /var/www/html, endpoint: '{store}', anonymous: true}}]\n"
        ));
        let machine = Machine { scratch };
        fs::create_dir(machine.path("seed")).unwrap();
        fs::write(machine.path("seed/meta-data"), "instance-id: i-1\n").unwrap();
        let seed = machine.path("seed").to_str().unwrap().to_owned();
        let (code, said) = machine.run(&["--seed", &seed, "apply"]);
        assert_eq!(code, 1, "{keys:?}: {said}");
        assert!(said.contains(says), "{keys:?}: {said}");
        assert!(
            machine.files().is_empty(),
            "{keys:?}: {:?}",
            machine.files()
        );
    }
}

#[test]
fn a_bucket_that_changes_while_it_is_read_is_listed_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        // The object is replaced when it is first asked for.
        let mut tag = 1;
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = BufReader::new(&stream).lines().map_while(Result::ok);
            let lines: Vec<String> = head.by_ref().take_while(|line| !line.is_empty()).collect();
            drop(head);
            let (status, body) = if lines[0].contains("list-type=2") {
                let entry = format!("<Key>site/page</Key><ETag>\"{tag}\"</ETag><Size>3</Size>");
                let list = format!("<Contents>{entry}</Contents><IsTruncated>false</IsTruncated>");
                (
                    "200 OK",
                    format!("<ListBucketResult>{list}</ListBucketResult>"),
                )
            } else if lines.iter().any(|line| line == "if-match: \"2\"") {
                ("200 OK", "new".to_owned())
            } else {
                tag = 2;
                ("412 Precondition Failed", String::new())
            };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
        }
    });
    let scratch = Machine::image(&format!(
        "content: [{{source: 's3://acme-site/site', dest: /var/www/html, endpoint: '{store}', anonymous: true}}]\n"
    ));
    let machine = Machine { scratch };
    fs::create_dir(machine.path("seed")).unwrap();
    fs::write(machine.path("seed/meta-data"), "instance-id: i-1\n").unwrap();
    let seed = machine.path("seed").to_str().unwrap().to_owned();
    let (code, said) = machine.run(&["--seed", &seed, "apply"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(machine.files(), ["page"], "{said}");
    assert_eq!(fs::read(machine.path("var/www/html/page")).unwrap(), b"new");
}

/// A store that lists these keys, each an object of one byte, to everybody.
fn hostile_store(keys: &[&str]) -> String {
    let entries = keys.iter().map(|key| {
        let key = key.replace('\u{7}', "&#7;").replace('\n', "&#10;");
        format!("<Contents><Key>{key}</Key><ETag>\"e\"</ETag><Size>1</Size></Contents>")
    });
    let list = format!(
        "<ListBucketResult>{}<IsTruncated>false</IsTruncated></ListBucketResult>",
        entries.collect::<String>()
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = BufReader::new(&stream).lines().map_while(Result::ok);
            let first = head.next().unwrap_or_default();
            while head.next().is_some_and(|line| !line.is_empty()) {}
            drop(head);
            let body = if first.contains("list-type=2") {
                list.as_str()
            } else {
                "x"
            };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
        }
    });
    url
}

/// An instance with this user data, and a role with these credentials.
fn instance(user_data: &str, role: &Value) -> Value {
    let mut tree = lab::aws_mock();
    tree["user-data"] = json!(user_data);
    tree["meta-data"]["iam"] = json!({"security-credentials": {"web": role.to_string()}});
    tree
}

/// An image that mirrors what its user data names.
struct Machine {
    scratch: Scratch,
}

impl Machine {
    fn new(imds: &Imds, s3: &S3, options: &str) -> Self {
        let options = if options.is_empty() {
            "adopt: false"
        } else {
            options
        };
        let config = format!(
            "datasource_list: [Ec2]\n\
             datasource: {{Ec2: {{metadata_urls: ['{}'], max_wait: 10, timeout: 5}}}}\n\
             users: []\n\
             content:\n  \
               - source: 's3://{{{{ params.bucket }}}}/site'\n    \
                 dest: /var/www/html\n    \
                 endpoint: {}\n    \
                 {options}\n",
            imds.url(),
            s3.endpoint(),
        );
        Self {
            scratch: Self::image(&config),
        }
    }

    /// A root with this configuration of the image's.
    fn image(config: &str) -> Scratch {
        let scratch = Scratch::new();
        for (name, text) in [
            ("etc/firstlight/config.d/50-web.yaml", config),
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
            ("etc/group", "root:x:0:\n"),
            ("root/.profile", ""),
        ] {
            let path = scratch.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        scratch
    }

    fn path(&self, path: &str) -> PathBuf {
        self.scratch.path().join(path)
    }

    /// The exit code, and everything that was printed.
    fn run(&self, args: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firstlight"));
        let output = command.arg("--root").arg(self.scratch.path()).args(args);
        let output = output.output().unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap_or(-1), text)
    }

    /// What the mirror holds, temporary files too.
    fn files(&self) -> Vec<String> {
        let top = self.path("var/www/html");
        let mut files = Vec::new();
        let mut open = vec![top.clone()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let name = path.strip_prefix(&top).unwrap();
                    files.push(name.to_str().unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }

    /// Files that hold `word` and that others than their owner may read.
    fn readable_by_others(&self, word: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.scratch.path().to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let entry = entry.unwrap();
                let meta = entry.metadata().unwrap();
                if meta.is_dir() {
                    open.push(entry.path());
                } else if meta.is_file() && meta.permissions().mode() & 0o077 != 0 {
                    let bytes = fs::read(entry.path()).unwrap();
                    if String::from_utf8_lossy(&bytes).contains(word) {
                        found.push(entry.path());
                    }
                }
            }
        }
        found
    }
}

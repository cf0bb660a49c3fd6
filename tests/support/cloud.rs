//! A machine that asks a metadata service of the lab who it is.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Answer, Scratch};

/// The mock's instance id.
pub(crate) const INSTANCE: &str = "i-1234567890abcdef0";

/// The mock's instance with another launch index, and what follows from that.
pub(crate) fn instance(index: &str, user_data: &str) -> Value {
    let mut tree = lab::aws_mock();
    let name = format!("ip-172-16-34-4{index}.ec2.internal");
    let meta = tree["meta-data"].as_object_mut().unwrap();
    meta.insert("ami-launch-index".into(), json!(index));
    meta.insert("local-hostname".into(), json!(name));
    tree["user-data"] = json!(user_data);
    tree
}

/// An image whose configuration says where the service is.
pub(crate) struct Machine {
    pub(crate) scratch: Scratch,
}

impl Machine {
    /// `settings` are those of the data source beside the addresses: `max_wait: 3`.
    pub(crate) fn new(urls: &[String], settings: &str) -> Self {
        let scratch = Scratch::new();
        let config = format!(
            "datasource: {{Ec2: {{metadata_urls: {}, {settings}}}}}\n\
             datasource_list: [Ec2]\nusers: []\n\
             firstlight: {{user_data: {{parameters: {{select_by_launch_index: {{delimiter: '|'}}}}}}}}\n\
             election: {{group: \"{{{{ params['replicate-every'] | default('none') }}}}\"}}\n",
            json!(urls)
        );
        for (name, text) in [
            ("etc/firstlight/config.yaml", config.as_str()),
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
            ("etc/group", "root:x:0:\n"),
        ] {
            let path = scratch.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir(scratch.path().join("root")).unwrap();
        Self { scratch }
    }

    pub(crate) fn text(&self, path: &str) -> String {
        let path = self.scratch.path().join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The files of the machine, without firstlight's own books.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        let root = self.scratch.path();
        let mut files = BTreeSet::new();
        let mut open = vec![root.to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let entry = entry.unwrap();
                let name = entry.path().strip_prefix(root).unwrap().to_owned();
                if name.ends_with("var/lib/firstlight") || name.ends_with("run/firstlight") {
                    continue;
                }
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                } else {
                    files.insert(name.display().to_string());
                }
            }
        }
        files
    }

    pub(crate) fn firstlight(&self, args: &[&str]) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_firstlight"))
            .arg("--root")
            .arg(self.scratch.path())
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The id of the instance that it took itself for at last.
    pub(crate) fn instance_id(&self) -> String {
        let answer = self.firstlight(&["query", "v1.instance_id"]);
        answer.stdout.trim().to_owned()
    }
}

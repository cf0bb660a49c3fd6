//! The client's configuration, from the image's template or as cloud-init's own comes to.

use std::path::{Path, PathBuf};

use contract::effect::Effect;
use contract::module::Context;
use contract::template::Variables;

use crate::files;
use crate::hidden;
use crate::told::Told;

use super::FIRST_BOOT;

const HEAD: &str = "# Written by firstlight at every boot.";

/// What may be said about client.rb, and what it is if nobody says it. Null leaves it out.
///
/// Source: cloud-init, `CHEF_RB_TPL_DEFAULTS` and `CHEF_RB_TPL_KEYS` of `cloudinit/config/cc_chef.py`.
const SETTINGS: [(&str, Option<&str>); 11] = [
    ("chef_license", None),
    ("log_level", Some(":info")),
    ("ssl_verify_mode", Some(":verify_none")),
    ("log_location", Some("/var/log/chef/client.log")),
    ("client_key", Some("/etc/chef/client.pem")),
    ("environment", Some("_default")),
    ("json_attribs", Some(FIRST_BOOT)),
    ("file_cache_path", Some("/var/chef/cache")),
    ("file_backup_path", Some("/var/chef/backup")),
    ("pid_file", Some("/var/run/chef/client.pid")),
    ("encrypted_data_bag_secret", None),
];

/// Those that name files, in directories that shall be there.
const FILES: [&str; 7] = [
    "log_location",
    "validation_key",
    "client_key",
    "file_cache_path",
    "json_attribs",
    "pid_file",
    "encrypted_data_bag_secret",
];

/// The lines: a variable of the template, how Ruby calls it, and whether it is text there.
const LINES: [(&str, &str, bool); 14] = [
    ("chef_license", "chef_license           ", true),
    ("log_level", "log_level              ", false),
    ("ssl_verify_mode", "ssl_verify_mode        ", false),
    ("log_location", "log_location           ", true),
    ("validation_name", "validation_client_name ", true),
    ("validation_key", "validation_key         ", true),
    ("client_key", "client_key             ", true),
    ("server_url", "chef_server_url        ", true),
    ("environment", "environment            ", true),
    ("node_name", "node_name              ", true),
    ("json_attribs", "json_attribs           ", true),
    ("file_cache_path", "file_cache_path        ", true),
    ("file_backup_path", "file_backup_path       ", true),
    ("pid_file", "pid_file               ", true),
];

/// What stands in it, by the names of the template's variables.
pub(super) struct ClientRb {
    values: Vec<(&'static str, String)>,
    shows_time: bool,
    /// Whether there is a key to register with.
    registers: bool,
}

impl ClientRb {
    /// `None`: what it cannot be without is not given.
    pub(super) fn of(told: &mut Told<'_>, key: &str, ctx: &Context<'_>) -> Option<Self> {
        let needed = ["server_url", "validation_name"].map(|name| {
            let value = told.line(name);
            if told.get(name).is_none() {
                told.missing(name);
            }
            value.map(|value| (name, value))
        });
        let mut values = Vec::from_iter(needed.into_iter().flatten());
        let is_whole = values.len() == 2;
        values.push(("validation_key", key.to_owned()));
        let node = told.line("node_name");
        let node = node.unwrap_or_else(|| ctx.instance.instance_id.to_string());
        values.push(("node_name", node));
        for (name, default) in SETTINGS {
            let value = match told.is_given(name) {
                true => told.line(name),
                false => default.map(ToOwned::to_owned),
            };
            values.extend(value.map(|value| (name, value)));
        }
        let shows_time = told.switch("show_time", !told.is_given("show_time"));
        let registers = told.get("validation_cert").is_some();
        is_whole.then_some(Self {
            values,
            shows_time,
            registers,
        })
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.values.iter();
        let value = values.find(|(known, _)| *known == name);
        value.map(|(_, value)| value.as_str())
    }

    /// The directories of the files that it names.
    pub(super) fn directories(&self) -> impl Iterator<Item = String> {
        let files = FILES.iter().filter_map(|name| self.value(name));
        let parents = files.filter_map(|file| Path::new(file).parent());
        parents.map(|parent| parent.display().to_string())
    }

    /// Keys are in files of their own, but the server's address may have a password.
    pub(super) fn file(&self, told: &mut Told<'_>, ctx: &Context<'_>) -> Option<Effect> {
        let path = told.path("config_path");
        let path = path.unwrap_or_else(|| "/etc/chef/client.rb".to_owned());
        let rendered = files::rendered("chef_client.rb", || self.variables(), ctx);
        let text = rendered.unwrap_or_else(|| Ok(self.lines()));
        let text = text.map_err(|problem| told.problems.push(problem)).ok()?;
        let is_secret = text.lines().any(hidden::has_password);
        Some(hidden::file(PathBuf::from(path), text, is_secret))
    }

    fn variables(&self) -> Variables {
        let mut all = Variables::default().text("generated_by", HEAD);
        for (name, value) in &self.values {
            all = all.text(name, value);
        }
        // Of the key whether it is there, and never which it is.
        for (name, is_on) in [
            ("show_time", self.shows_time),
            ("validation_cert", self.registers),
        ] {
            all = all.text(name, if is_on { "True" } else { "" });
        }
        for (name, _) in SETTINGS {
            if self.value(name).is_none() {
                all = all.text(name, "");
            }
        }
        all
    }

    /// Source: cloud-init, `templates/chef_client.rb.tmpl`.
    fn lines(&self) -> String {
        let mut text = format!("{HEAD}\n");
        for (name, ruby, is_text) in LINES {
            let is_used = name != "validation_key" || self.registers;
            let Some(value) = self
                .value(name)
                .filter(|value| is_used && !value.is_empty())
            else {
                continue;
            };
            let quote = if is_text { "\"" } else { "" };
            text.push_str(&format!("{ruby}{quote}{value}{quote}\n"));
        }
        if self.shows_time {
            text.push_str("Chef::Log::Formatter.show_time = true\n");
        }
        if let Some(file) = self.value("encrypted_data_bag_secret") {
            text.push_str(&format!("encrypted_data_bag_secret \"{file}\"\n"));
        }
        text
    }
}

//! One entry of `write_files`, field by field. A field that is odd costs itself if there is something
//! to fall back on, as with cloud-init, and else the entry.

use std::path::{Component, Path, PathBuf};

use contract::base64;
use contract::effect::{Keeper, Mode, Source};
use contract::gzip;
use contract::module::Context;
use contract::plan::Problem;
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{Kind, Notation, Value};
use serde::Deserialize;

const ENCODINGS: &[&str] = &[
    "text/plain",
    "b64",
    "base64",
    "gz",
    "gzip",
    "gz+b64",
    "gz+base64",
    "gzip+b64",
    "gzip+base64",
];

/// What an entry may hold.
pub(super) const ENTRY: &[Key] = &[
    Key::new("path", Shape::Text, "an absolute path").required(),
    Key::new("content", Shape::Text, "what is in it").or("''"),
    Key::new(
        "encoding",
        Shape::Word(ENCODINGS),
        "how `content` is written",
    )
    .or("text/plain"),
    Key::new(
        "owner",
        Shape::Text,
        "`USER:GROUP` or `USER`: whose the file and new directories above it are",
    )
    .or("root:root"),
    Key::new("permissions", Shape::Scalar, "in octal, in quotes").or("'0644'"),
    Key::new("append", Shape::Switch, "put it behind what is in the file").or("false"),
    Key::new(
        "defer",
        Shape::Switch,
        "write it in the final stage, after users and packages",
    )
    .or("false"),
    Key::new(
        "source",
        Shape::Map(SOURCE),
        "where its content comes from; `content` is used if nothing comes",
    ),
];

const SOURCE: &[Key] = &[
    Key::new(
        "uri",
        Shape::Text,
        "`https://`, `http://`, `s3://BUCKET/KEY` or `file:///PATH`",
    )
    .required(),
    Key::new(
        "headers",
        Shape::Named(&Shape::Scalar),
        "sent with the request",
    )
    .secret(),
];

/// An entry as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) path: Option<Value>,
    pub(super) content: Option<Value>,
    pub(super) encoding: Option<Value>,
    pub(super) owner: Option<Value>,
    pub(super) permissions: Option<Value>,
    pub(super) append: Option<Value>,
    pub(super) defer: Option<Value>,
    pub(super) source: Option<Value>,
}

/// Reads the fields of one entry.
pub(super) struct Reader {
    /// `write_files[0]`.
    at: String,
}

impl Reader {
    pub(super) fn new(number: usize) -> Self {
        Self {
            at: format!("write_files[{number}]"),
        }
    }

    fn wrong(&self, value: &Value, key: &str, what: &str) -> Problem {
        let message = format!("{}.{key}: {what}", self.at);
        Problem::error(Some(value.place.clone()), message)
    }

    fn odd(&self, value: &Value, key: &str, what: &str) -> Problem {
        let message = format!("{}.{key}: {what}", self.at);
        Problem::warning(Some(value.place.clone()), message)
    }

    /// Source of the words: cloud-init, `cloudinit/util.py` (`translate_bool`).
    pub(super) fn switch(
        &self,
        key: &str,
        value: Option<&Value>,
        problems: &mut Vec<Problem>,
    ) -> bool {
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return false;
        };
        if let Some(is_on) = value.as_bool() {
            return is_on;
        }
        let word = value.to_text().unwrap_or_default();
        match word.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "on" | "yes" => true,
            "0" | "false" | "off" | "no" | "none" | "" => false,
            _ => {
                problems.push(self.odd(value, key, "expected true or false; taken as false"));
                false
            }
        }
    }

    /// Source: cloud-init makes it absolute with `os.path.abspath`, in the directory `/`.
    pub(super) fn path(
        &self,
        entry: &Value,
        value: Option<&Value>,
        problems: &mut Vec<Problem>,
    ) -> Result<PathBuf, Problem> {
        let value = value.unwrap_or(entry);
        let text = match &value.kind {
            Kind::String(text) if !text.is_empty() => Path::new(text),
            _ => {
                return Err(self.wrong(value, "path", "expected an absolute path"));
            }
        };
        if !text.is_absolute() {
            let what = "the path is not absolute; it is taken as one below /";
            problems.push(self.odd(value, "path", what));
        }
        let mut path = PathBuf::from("/");
        for part in text.components() {
            match part {
                Component::Normal(name) => path.push(name),
                Component::ParentDir => {
                    path.pop();
                }
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        match path.file_name() {
            Some(_) => Ok(path),
            None => Err(self.wrong(value, "path", "expected the path of a file")),
        }
    }

    /// A text is octal; a number is the mode itself, as it was read.
    pub(super) fn mode(&self, value: Option<&Value>, problems: &mut Vec<Problem>) -> Mode {
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return Mode::PUBLIC;
        };
        let bits = match &value.kind {
            Kind::Int(int) => u32::try_from(int.value).ok(),
            // A fraction is cut off, as Python's `int()` does.
            Kind::Float(float) => format!("{:.0}", float.trunc()).parse().ok(),
            Kind::String(text) => octal(text),
            _ => None,
        };
        let Some(bits) = bits else {
            let what = "expected an octal number in quotes, such as '0644'; 0644 it is";
            problems.push(self.odd(value, "permissions", what));
            return Mode::PUBLIC;
        };
        let mode = Mode::new(bits);
        let is_decimal = match &value.kind {
            Kind::Int(int) => int.notation() == Notation::Decimal,
            Kind::Float(_) => true,
            _ => false,
        };
        if is_decimal && bits != 0 {
            let what = format!(
                "a number without quotes or leading zero is decimal: {bits} is mode {mode}"
            );
            let hint = match octal(&bits.to_string()) {
                Some(_) => format!("write '0{bits}'"),
                None => "write an octal number in quotes".to_owned(),
            };
            problems.push(self.odd(value, "permissions", &what).hint(hint));
        }
        mode
    }

    /// Source: cloud-init, `cloudinit/util.py` (`extract_usergroup`).
    pub(super) fn owner(&self, value: Option<&Value>) -> Result<Keeper, Problem> {
        let text = match value {
            None => "root:root".to_owned(),
            Some(value) => match &value.kind {
                Kind::Null => String::new(),
                _ => value
                    .to_text()
                    .ok_or_else(|| self.wrong(value, "owner", "expected `USER:GROUP` or `USER`"))?,
            },
        };
        let (user, group) = text.split_once(':').unwrap_or((&text, ""));
        let name = |text: &str| {
            let text = text.trim();
            let stays = ["", "-1"].contains(&text) || text.eq_ignore_ascii_case("none");
            (!stays).then(|| text.to_owned())
        };
        Ok(Keeper {
            user: name(user),
            group: name(group),
        })
    }

    pub(super) fn content(
        &self,
        value: &Value,
        encoding: Option<&Value>,
        limit: usize,
        problems: &mut Vec<Problem>,
    ) -> Result<Vec<u8>, Problem> {
        let mut bytes = match &value.kind {
            Kind::String(text) => text.as_bytes().to_vec(),
            Kind::Bytes(bytes) => bytes.clone(),
            kind => {
                let what = format!("expected a string, found {}", kind.name());
                return Err(self.wrong(value, "content", &what).hint("put it in quotes"));
            }
        };
        let (base64, gzip) = self.encoding(encoding, problems);
        if base64 {
            let text = std::str::from_utf8(&bytes).ok();
            bytes = text
                .and_then(base64::decode)
                .ok_or_else(|| self.wrong(value, "content", "it is not base64"))?;
        }
        if gzip {
            bytes = gzip::gunzip(&bytes, limit)
                .map_err(|error| self.wrong(value, "content", &error.to_string()))?;
        }
        if bytes.len() > limit {
            return Err(self.wrong(value, "content", "it is longer than the limit"));
        }
        Ok(bytes)
    }

    /// Whether the content is in base64, and whether it is gzip then.
    fn encoding(&self, value: Option<&Value>, problems: &mut Vec<Problem>) -> (bool, bool) {
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return (false, false);
        };
        let word = value.to_text().unwrap_or_else(|| "?".to_owned());
        match word.trim().to_ascii_lowercase().as_str() {
            "gz" | "gzip" => (false, true),
            "gz+base64" | "gzip+base64" | "gz+b64" | "gzip+b64" => (true, true),
            "b64" | "base64" => (true, false),
            "" | "text/plain" => (false, false),
            _ => {
                let what = "unknown encoding; `content` is taken as it stands";
                let known = format!("known are `{}`", ENCODINGS.join("`, `"));
                problems.push(self.odd(value, "encoding", what).hint(known));
                (false, false)
            }
        }
    }

    pub(super) fn source(
        &self,
        value: Option<&Value>,
        ctx: &Context<'_>,
        problems: &mut Vec<Problem>,
    ) -> Result<Option<Source>, Problem> {
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        if value.as_map().is_none() {
            return Err(self.wrong(value, "source", "expected a mapping with `uri`"));
        }
        let url = match value.get("uri") {
            None => return Ok(None),
            Some(uri) => match &uri.kind {
                Kind::Null => return Ok(None),
                Kind::String(url) if url.is_empty() => return Ok(None),
                Kind::String(url) => url.clone(),
                _ => return Err(self.wrong(uri, "source.uri", "expected an address")),
            },
        };
        let mut headers = Vec::new();
        let pairs = value.get("headers").filter(|headers| !headers.is_null());
        if let Some(pairs) = pairs {
            let Some(map) = pairs.as_map() else {
                return Err(self.wrong(pairs, "source.headers", "expected a mapping"));
            };
            for (name, value) in map.iter() {
                match (name.to_text(), value.to_text()) {
                    (Some(name), Some(value)) => headers.push((name, Secret::new(value))),
                    _ => problems.push(self.odd(
                        name,
                        "source.headers",
                        "expected a name and a string; it is not sent",
                    )),
                }
            }
        }
        Ok(Some(Source {
            url: Secret::new(url),
            headers,
            region: ctx.instance.region.clone(),
            domain: ctx.instance.service_domain.clone(),
        }))
    }
}

/// Octal digits as Python's `int(text, 8)` takes them: `644`, `0644`, `0o644`.
fn octal(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = text.strip_prefix("0o").or_else(|| text.strip_prefix("0O"));
    let digits = digits.unwrap_or(text);
    let is_octal = !digits.is_empty() && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    is_octal.then(|| u32::from_str_radix(digits, 8).ok())?
}

//! How a configuration says that it is to be merged: the keys `merge_how` and `merge_type`, and the
//! headers `Merge-Type` and `X-Merge-Type`.
//!
//! Source: cloud-init, `cloudinit/mergers/__init__.py`.

use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{Kind, Mapping, Value};

use super::MergeError;

/// A merger for each type that one was named for; a value of another type stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct How {
    pub(super) dict: Option<Dict>,
    pub(super) list: Option<List>,
    pub(super) text: Option<Text>,
    /// What is probably not meant.
    pub(super) odd: Vec<Problem>,
}

/// How mappings are merged; two mappings under one key always are, unless the later replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dict {
    /// Whether a later value takes the place of an earlier one, whatever they are.
    pub(super) replace: bool,
    /// Whether two lists, or a list after something else, are merged.
    pub(super) recurse_list: bool,
    /// The same of text.
    pub(super) recurse_str: bool,
    /// Whether a later null removes a key.
    pub(super) allow_delete: bool,
}

/// How lists are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct List {
    pub(super) method: Method,
    /// Whether what stands at the same index is merged, if the later is a mapping.
    pub(super) recurse_dict: bool,
    /// The same if it is a list.
    pub(super) recurse_list: bool,
    /// The same if it is text.
    pub(super) recurse_str: bool,
}

/// What becomes of two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Method {
    /// The later after the earlier.
    Append,
    /// The later before the earlier.
    Prepend,
    /// Index by index, as far as both reach; the rest of the earlier stays.
    #[default]
    Replace,
    /// The earlier stays.
    NoReplace,
}

/// How text is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Text {
    /// Whether the later is written behind the earlier; else it replaces it.
    pub(super) append: bool,
}

/// The options that each merger knows.
const DICT: [&str; 7] = [
    "replace",
    "no_replace",
    "recurse_array",
    "recurse_list",
    "recurse_str",
    "recurse_dict",
    "allow_delete",
];
const LIST: [&str; 8] = [
    "append",
    "prepend",
    "replace",
    "no_replace",
    "recurse_dict",
    "recurse_array",
    "recurse_list",
    "recurse_str",
];
const TEXT: [&str; 1] = ["append"];

const FORM: &str = "write `merge_how: \"dict(no_replace,recurse_list)+list(append)\"`";

impl How {
    /// Between sources: what the higher one says stays.
    pub(super) fn of_sources() -> Self {
        Self {
            dict: Some(Dict::default()),
            list: Some(List::default()),
            text: Some(Text::default()),
            odd: Vec::new(),
        }
    }

    /// Between parts of user data: a later top-level key replaces an earlier one whole.
    pub(super) fn of_parts() -> Self {
        let dict = Dict {
            replace: true,
            ..Dict::default()
        };
        Self {
            dict: Some(dict),
            ..Self::of_sources()
        }
    }

    /// What a document and the header of its part, called `name`, say, taken out of the document;
    /// `None` if they say nothing. `merge_type` counts, and goes, only if there is no `merge_how`.
    ///
    /// # Errors
    /// When it makes no sense: then nothing of the document counts.
    pub(crate) fn take(
        document: &mut Mapping,
        header: Option<&str>,
        name: &str,
    ) -> Result<Option<Self>, MergeError> {
        let given = |value: &Value| !value.is_null();
        let raw = document.remove("merge_how").filter(given);
        let raw = match raw {
            Some(raw) => Some(("merge_how", raw)),
            None => document
                .remove("merge_type")
                .filter(given)
                .map(|raw| ("merge_type", raw)),
        };
        let mut builder = Builder::default();
        if let Some((key, raw)) = raw {
            builder.document(key, &raw)?;
        }
        if let Some(text) = header {
            builder.text("header `Merge-Type`", text, &Place::whole(name))?;
        }
        Ok(builder.finish())
    }
}

/// Puts mergers together; of two of the same name the first counts.
#[derive(Default)]
struct Builder {
    how: How,
    /// Where the first merger is named.
    named: Option<Place>,
}

/// The options of a merger as they were written.
enum Options<'v> {
    /// Each one by itself.
    Names(Vec<&'v str>),
    /// Text where a list belongs: an option counts that stands anywhere in it.
    Within(&'v str),
}

impl Options<'_> {
    fn has(&self, option: &str) -> bool {
        match self {
            Self::Names(names) => names.contains(&option),
            Self::Within(text) => text.contains(option),
        }
    }

    /// The first of `options`, in their own order, that is given.
    fn first<T: Copy>(&self, options: &[(&str, T)]) -> Option<T> {
        let found = options.iter().find(|(name, _)| self.has(name));
        found.map(|(_, value)| *value)
    }
}

impl Builder {
    fn document(&mut self, key: &str, raw: &Value) -> Result<(), MergeError> {
        if let Kind::String(text) = &raw.kind {
            return self.text(&format!("`{key}`"), text, &raw.place);
        }
        match &raw.kind {
            Kind::List(entries) => {
                for (index, entry) in entries.iter().enumerate() {
                    self.entry(&format!("`{key}[{index}]`"), entry)?;
                }
                Ok(())
            }
            Kind::Map(map) if map.is_empty() => Ok(()),
            other => {
                let message = format!("`{key}`: expected text or a list, found {}", other.name());
                Err(error(&raw.place, message, FORM))
            }
        }
    }

    /// `name(option,option)+name(...)`, in any case, `-` for `_`.
    fn text(&mut self, what: &str, text: &str, place: &Place) -> Result<(), MergeError> {
        for (index, merger) in text.split('+').enumerate() {
            let merger = merger.to_lowercase().trim().replace('-', "_");
            if merger.is_empty() {
                continue;
            }
            let parts = merger
                .split_once('(')
                .and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?)));
            let Some((name, options)) =
                parts.filter(|(name, options)| is_name(name) && !options.contains('\n'))
            else {
                let message = format!(
                    "{what}: merger {} is not written as `name(option,option)`",
                    index + 1
                );
                return Err(error(place, message, FORM));
            };
            let names = options.split(',').map(str::trim);
            let names = names.filter(|name| !name.is_empty()).collect();
            self.add(what, name, &Options::Names(names), place)?;
        }
        Ok(())
    }

    /// `{name: dict, settings: [...]}` or `[dict, option, option]`.
    fn entry(&mut self, what: &str, entry: &Value) -> Result<(), MergeError> {
        let form = "write `[list, append]` or `{name: list, settings: [append]}`";
        let (name, options) = match &entry.kind {
            Kind::Map(map) => {
                let (Some(name), Some(settings)) = (map.get("name"), map.get("settings")) else {
                    let message = format!("{what}: `name` and `settings` are both needed");
                    return Err(error(&entry.place, message, form));
                };
                let name = match &name.kind {
                    Kind::String(name) => Value::new(
                        Kind::String(name.replace('-', "_").trim().to_owned()),
                        entry.place.clone(),
                    ),
                    other => {
                        let message =
                            format!("{what}: `name`: expected text, found {}", other.name());
                        return Err(error(&name.place, message, form));
                    }
                };
                let options = match &settings.kind {
                    Kind::List(options) => names(options),
                    Kind::Map(options) => {
                        Options::Names(options.keys().filter_map(Value::as_str).collect())
                    }
                    Kind::String(text) => Options::Within(text),
                    other => {
                        let found = other.name();
                        let message = format!("{what}: `settings`: expected a list, found {found}");
                        return Err(error(&settings.place, message, form));
                    }
                };
                (name, options)
            }
            Kind::List(list) => match list.split_first() {
                Some((name, options)) => (name.clone(), names(options)),
                None => {
                    let message = format!("{what}: the list is empty");
                    return Err(error(&entry.place, message, form));
                }
            },
            other => {
                let message = format!(
                    "{what}: expected a list or a mapping, found {}",
                    other.name()
                );
                return Err(error(&entry.place, message, form));
            }
        };
        match &name.kind {
            // What Python takes for false names no merger.
            Kind::Null | Kind::Bool(false) => Ok(()),
            Kind::Int(int) if int.value == 0 => Ok(()),
            Kind::String(text) if text.is_empty() => Ok(()),
            Kind::String(text) => self.add(what, text, &options, &entry.place),
            other => {
                let message = format!("{what}: expected a merger's name, found {}", other.name());
                Err(error(&entry.place, message, form))
            }
        }
    }

    fn add(
        &mut self,
        what: &str,
        name: &str,
        options: &Options<'_>,
        place: &Place,
    ) -> Result<(), MergeError> {
        let known: &[&str] = match name.strip_prefix("m_").unwrap_or(name) {
            "dict" => {
                let dict = Dict {
                    replace: options.has("replace"),
                    recurse_list: options.has("recurse_array") || options.has("recurse_list"),
                    recurse_str: options.has("recurse_str"),
                    allow_delete: options.has("allow_delete"),
                };
                self.how.dict.get_or_insert(dict);
                &DICT
            }
            "list" => {
                let method = options.first(&[
                    ("append", Method::Append),
                    ("prepend", Method::Prepend),
                    ("replace", Method::Replace),
                    ("no_replace", Method::NoReplace),
                ]);
                let list = List {
                    method: method.unwrap_or_default(),
                    recurse_dict: options.has("recurse_dict"),
                    recurse_list: options.has("recurse_array") || options.has("recurse_list"),
                    recurse_str: options.has("recurse_str"),
                };
                self.how.list.get_or_insert(list);
                &LIST
            }
            "str" => {
                let append = options.has("append");
                self.how.text.get_or_insert(Text { append });
                &TEXT
            }
            unknown => {
                let message = if is_name(unknown) {
                    format!("{what}: there is no merger `{unknown}`")
                } else {
                    format!("{what}: that is no merger's name")
                };
                return Err(error(
                    place,
                    message,
                    "mergers are `dict`, `list` and `str`",
                ));
            }
        };
        self.named.get_or_insert_with(|| place.clone());
        if let Options::Names(names) = options {
            for option in names.iter().filter(|option| !known.contains(option)) {
                let shown = if is_name(option) { option } else { "?" };
                let message = format!("{what}: `{name}` has no option `{shown}`; it does nothing");
                let hint = format!("its options are `{}`", known.join("`, `"));
                let problem = Problem::notice(Some(place.clone()), message);
                self.how.odd.push(problem.hint(hint));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Option<How> {
        let place = self.named?;
        if self.how.dict.is_none() {
            let message = "no merger `dict` is named, so nothing of this part is taken";
            let problem = Problem::warning(Some(place), message);
            self.how.odd.push(problem.hint("add `+dict()`"));
        }
        Some(self.how)
    }
}

fn names(options: &[Value]) -> Options<'_> {
    Options::Names(options.iter().filter_map(Value::as_str).collect())
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn error(place: &Place, message: String, hint: &'static str) -> MergeError {
    MergeError {
        place: place.clone(),
        message,
        hint: Some(hint),
    }
}

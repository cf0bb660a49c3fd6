//! `## template: jinja`: a part of the user data that is a template of a cloud-config, a script or a
//! boothook.
//!
//! Rendering reads nothing but the variables it is given, and its steps and its output are limited.
//! Source: cloud-init, `cloudinit/handlers/jinja_template.py`, `cloudinit/templater.py`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use contract::instance::InstanceMetadata;
use contract::machine::Probe;
use contract::params::Params;
use contract::place::Place;
use contract::plan::Problem;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, Rest, Value as Var};
use minijinja::{Environment, Error, ErrorKind, State};
use serde_json::{Map, Value, json};

use crate::cloud_init::{canonical_cloud_id, short_hostname};
use crate::system_info::SystemInfo;

/// How many steps a template may take.
const FUEL: u64 = 2_000_000;
/// A template may render to so many bytes.
const MAX_RENDERED: usize = 4 << 20;
/// What stands where a variable would that there is not.
const MISSING: &str = "CI_MISSING_JINJA_VAR/";

/// The operators of jinja, the longer ones first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",", ";",
];

/// What a template may name.
pub(crate) type Variables = Map<String, Value>;

/// What a template became.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// The text.
    pub(crate) text: String,
    /// The names of variables that were asked for and are not there, each once.
    pub(crate) missing: Vec<String>,
}

/// Why a template could not be rendered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Counted from the line behind the header, 1-based; 0 if nobody knows.
    pub(crate) line: u32,
    /// Never quotes a value.
    pub(crate) message: String,
}

/// The text behind the header, if the text begins with one that names jinja.
pub(crate) fn body(text: &str) -> Option<&str> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let header = first.trim().to_ascii_lowercase();
    let engine = header.strip_prefix("##")?.trim_start();
    let engine = engine.strip_prefix("template:")?.trim();
    (engine == "jinja").then_some(rest)
}

/// Whether what stands behind the header can be read as a template; nothing is rendered.
pub(crate) fn check(template: &str) -> Result<(), Fault> {
    let environment = environment();
    let read = environment.template_from_str(template);
    read.map(drop).map_err(|error| fault(&error))
}

/// That a template of `source` names a variable that there is not.
pub(crate) fn missing(name: &str, source: &str) -> Problem {
    let message = format!("the template names `{name}`, which there is not");
    let hint = "`firstlight query --list` shows what there is; `| default('...')` stands in for it";
    Problem::warning(Some(Place::whole(source)), message).hint(hint)
}

fn fault(error: &Error) -> Fault {
    let line = error.line().and_then(|line| u32::try_from(line).ok());
    let message = match error.kind() {
        ErrorKind::OutOfFuel => format!("it takes more than FUEL ({FUEL}) steps"),
        ErrorKind::WriteFailure => {
            let most = MAX_RENDERED >> 20;
            format!("it renders to more than MAX_RENDERED ({most} MiB)")
        }
        kind => kind.to_string(),
    };
    Fault {
        line: line.unwrap_or(0),
        message,
    }
}

/// Renders what stands behind the header.
pub(crate) fn render(template: &str, variables: &Variables) -> Result<Rendered, Fault> {
    let missing: Names = Arc::default();
    let environment = environment();
    let template = environment
        .template_from_str(template)
        .map_err(|e| fault(&e))?;
    let mut out = Bounded(Vec::new());
    let root = Root {
        node: Arc::new(node(variables, &missing)),
        functions: environment
            .globals()
            .map(|(name, _)| name.to_owned())
            .collect(),
    };
    template
        .render_captured_to(Var::from_object(root), &mut out)
        .map_err(|e| fault(&e))?;
    let names = std::mem::take(&mut *missing.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Rendered {
        text: String::from_utf8_lossy(&out.0).into_owned(),
        missing: names,
    })
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).keep_trailing_newline(true);
    // The delimiters are the usual ones, which are never refused.
    if let Ok(syntax) = syntax.build() {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    // What is missing is an object here, and undefined in jinja2.
    environment.add_test("defined", |value: &Var| !is_missing(value));
    environment.add_test("undefined", is_missing);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment
}

fn default(state: &State<'_, '_>, value: &Var, args: Rest<Var>) -> Result<Var, Error> {
    if is_missing(value) {
        return Ok(args.first().cloned().unwrap_or_else(|| Var::from("")));
    }
    minijinja::filters::default(state, value, args)
}

fn is_missing(value: &Var) -> bool {
    value.is_undefined() || value.downcast_object_ref::<Missing>().is_some()
}

/// The variables of a template: what is known of the instance as `v1` and at the top, everything
/// the cloud said as `ds`, the launch parameters as `params`, and `role`. Names with `-`, `.` or another
/// operator can be written with `_` as well.
///
/// `probe` looks at the distribution and the kernel.
pub(crate) fn variables(
    metadata: &InstanceMetadata,
    params: &Params,
    probe: Option<&dyn Probe>,
) -> Variables {
    let mut v1: Map<String, Value> = crate::report_file::public(metadata).into_iter().collect();
    let cloud = v1.get("cloud_name").and_then(Value::as_str);
    let region = metadata.region.as_deref().unwrap_or_default();
    let cloud = canonical_cloud_id(cloud.unwrap_or_default(), region, &metadata.platform);
    v1.insert("cloud_id".to_owned(), json!(cloud));
    if let Some(name) = short_hostname(metadata) {
        v1.insert("local_hostname".to_owned(), json!(name));
    }
    v1.insert("machine".to_owned(), json!(std::env::consts::ARCH));
    if let Some(probe) = probe {
        v1.extend(system(probe));
    }
    // cloud-init has these in two spellings.
    for name in [
        "availability_zone",
        "cloud_name",
        "instance_id",
        "local_hostname",
    ] {
        if let Some(value) = v1.get(name).cloned() {
            v1.insert(name.replace('_', "-"), value);
        }
    }
    let mut ds = metadata.rest.clone();
    if let Some(ds) = ds.as_object_mut() {
        ds.entry("meta_data")
            .or_insert_with(|| metadata.rest.get("meta-data").cloned().unwrap_or_default());
    }
    let mut all = v1.clone();
    all.insert("v1".to_owned(), Value::Object(v1));
    all.insert("ds".to_owned(), ds);
    let params = params
        .iter()
        .map(|(name, value)| (name.to_owned(), json!(value)));
    all.insert("params".to_owned(), Value::Object(params.collect()));
    if let Some(index) = metadata.launch_index {
        let role = if index.is_first() {
            "leader"
        } else {
            "follower"
        };
        all.insert("role".to_owned(), json!(role));
    }
    all
}

/// What is known of the system. Source of the names: cloud-init, `cloudinit/sources/__init__.py`
/// (`_get_standardized_metadata`).
fn system(probe: &dyn Probe) -> Map<String, Value> {
    let info = SystemInfo::of(probe);
    let known = [
        ("distro", info.distro.as_str()),
        ("variant", info.variant),
        ("distro_version", &info.version),
        ("distro_release", &info.codename),
        ("kernel_release", &info.kernel),
    ];
    let known = known.into_iter().filter(|(_, value)| !value.is_empty());
    known
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect()
}

/// A name without the operators of jinja, each of which becomes `_`. Source: cloud-init,
/// `cloudinit/handlers/jinja_template.py` (`get_jinja_variable_alias`); jinja2, `lexer.py`.
pub(crate) fn alias(name: &str) -> String {
    let mut alias = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let operator = OPERATORS.iter().find(|own| rest.starts_with(**own));
        match operator {
            Some(_) => alias.push('_'),
            None => alias.push(c),
        }
        let len = operator.map_or(c.len_utf8(), |own| own.len());
        rest = rest.get(len..).unwrap_or_default();
    }
    alias
}

type Names = Arc<Mutex<Vec<String>>>;

fn node(map: &Map<String, Value>, missing: &Names) -> Node {
    let mut entries = BTreeMap::new();
    for (name, value) in map {
        let value = variable(value, missing);
        let alias = alias(name);
        if alias != *name && !map.contains_key(&alias) {
            entries.insert(alias, value.clone());
        }
        entries.insert(name.clone(), value);
    }
    Node {
        entries,
        missing: Arc::clone(missing),
    }
}

fn variable(value: &Value, missing: &Names) -> Var {
    match value {
        Value::Object(map) => Var::from_object(node(map, missing)),
        Value::Array(list) => list.iter().map(|value| variable(value, missing)).collect(),
        Value::String(text) => Var::from(text.as_str()),
        Value::Bool(value) => Var::from(*value),
        Value::Null => Var::from(()),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Var::from(value),
            (_, Some(value)) => Var::from(value),
            _ => Var::from(number.as_f64().unwrap_or_default()),
        },
    }
}

/// A mapping that knows the names that it was asked for in vain.
#[derive(Debug)]
struct Node {
    entries: BTreeMap<String, Var>,
    missing: Names,
}

impl Object for Node {
    fn get_value(self: &Arc<Self>, key: &Var) -> Option<Var> {
        self.entries.get(key.as_str()?).cloned()
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Var> {
        let found = self.entries.get(key).cloned();
        Some(found.unwrap_or_else(|| {
            Var::from_object(Missing {
                name: key.to_owned(),
                missing: Arc::clone(&self.missing),
            })
        }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.entries.keys().map(|name| Var::from(name.as_str()));
        Enumerator::Values(names.collect())
    }
}

/// All variables. What is none of them may still be a function of jinja's own, such as `range`.
#[derive(Debug)]
struct Root {
    node: Arc<Node>,
    functions: Vec<String>,
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Var) -> Option<Var> {
        self.node.get_value(key)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Var> {
        let is_function = self.functions.iter().any(|name| name == key);
        if is_function && !self.node.entries.contains_key(key) {
            return None;
        }
        self.node.get_value_by_str(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.node.enumerate()
    }
}

/// A variable that is not there: false, empty, and its name when it is written.
#[derive(Debug)]
struct Missing {
    name: String,
    missing: Names,
}

impl Object for Missing {
    fn get_value(self: &Arc<Self>, _: &Var) -> Option<Var> {
        self.get_value_by_str("")
    }

    /// Below what is not there, nothing is: the whole part is left out then.
    fn get_value_by_str(self: &Arc<Self>, _: &str) -> Option<Var> {
        Some(Var::from(Error::from(ErrorKind::UndefinedError)))
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.contains(&self.name) {
            names.push(self.name.clone());
        }
        write!(f, "{MISSING}{}", self.name)
    }
}

/// Takes so many bytes and no more.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > MAX_RENDERED {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;

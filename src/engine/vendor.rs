//! Whether vendor data counts: the keys `vendor_data` and `vendor_data2` of user data and image.
//!
//! Source: cloud-init, `cloudinit/stages.py`, `_consume_vendordata`.

use contract::plan::Problem;
use contract::user_data::PartKind;
use contract::yaml::{Kind, Mapping, Value};

/// What of some vendor data counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Whether any of it does. Default yes.
    pub(crate) enabled: bool,
    /// The MIME types of parts that do not.
    disabled: Disabled,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Disabled {
    Types(Vec<String>),
    /// Text where a list belongs: every type counts that stands somewhere in it.
    Within(String),
}

impl Wanted {
    /// What the configuration says without the vendor data, under this key; and what is odd in it.
    pub(crate) fn of(config: &Mapping, key: &str) -> (Self, Option<Problem>) {
        let mut wanted = Self {
            enabled: true,
            disabled: Disabled::Types(Vec::new()),
        };
        let Some(section) = config.get(key) else {
            return (wanted, None);
        };
        match &section.kind {
            Kind::Map(map) => {
                wanted.enabled = map.get("enabled").is_none_or(is_true);
                wanted.disabled = disabled(map.get("disabled_handlers"));
                (wanted, None)
            }
            // The built-in mapping takes the place of these, as everywhere between sources.
            Kind::List(_) | Kind::String(_) => (wanted, None),
            other => {
                wanted.enabled = false;
                let message = format!(
                    "`{key}`: expected a mapping, found {}; vendor data is ignored",
                    other.name()
                );
                let problem = Problem::warning(Some(section.place.clone()), message);
                let hint = format!("write `{key}: {{enabled: false}}` to ignore it");
                (wanted, Some(problem.hint(hint)))
            }
        }
    }

    /// Whether parts of this kind are left out.
    pub(crate) fn leaves_out(&self, kind: &PartKind) -> bool {
        let mime = kind.mime();
        match &self.disabled {
            Disabled::Types(types) => types.iter().any(|own| own == mime),
            Disabled::Within(text) => text.contains(mime),
        }
    }
}

fn disabled(value: Option<&Value>) -> Disabled {
    match value.map(|value| &value.kind) {
        Some(Kind::List(list)) => {
            let types = list.iter().filter_map(Value::as_str);
            Disabled::Types(types.map(str::to_owned).collect())
        }
        Some(Kind::String(text)) => Disabled::Within(text.clone()),
        _ => Disabled::Types(Vec::new()),
    }
}

/// What cloud-init takes for true where it wants a boolean: `true`, `1`, `on`, `yes`, as text too.
/// Source: `cloudinit/util.py`, `is_true`.
pub(crate) fn is_true(value: &Value) -> bool {
    let text = value.to_text().unwrap_or_default().to_lowercase();
    matches!(text.trim(), "true" | "1" | "on" | "yes")
}

#[cfg(test)]
mod tests {
    use contract::testing::config;

    use super::*;

    #[test]
    fn vendor_data_counts_unless_it_is_switched_off() {
        #[rustfmt::skip]
        let table = [
            ("",                                  true,  0),
            ("vendor_data: {prefix: [timeout]}",  true,  0),
            ("vendor_data: {enabled: false}",     false, 0),
            ("vendor_data: {enabled: 'no'}",      false, 0),
            ("vendor_data: {enabled: 'On'}",      true,  0),
            ("vendor_data: {enabled:}",           false, 0),
            ("vendor_data: false",                false, 1),
            ("vendor_data:",                      false, 1),
            ("vendor_data: []",                   true,  0),
            ("vendor_data2: {enabled: false}",    true,  0),
        ];
        for (text, enabled, problems) in table {
            let (wanted, odd) = Wanted::of(config(text).root(), "vendor_data");
            assert_eq!(
                (wanted.enabled, odd.iter().count()),
                (enabled, problems),
                "{text}"
            );
        }
    }

    #[test]
    fn single_types_of_parts_can_be_left_out() {
        let script = PartKind::Script;
        for (list, left_out) in [
            ("[text/x-shellscript]", true),
            ("'text/x-shellscript,text/cloud-boothook'", true),
            ("[text/cloud-config]", false),
            ("[]", false),
        ] {
            let text = format!("vendor_data: {{disabled_handlers: {list}}}");
            let (wanted, _) = Wanted::of(config(&text).root(), "vendor_data");
            assert_eq!(wanted.leaves_out(&script), left_out, "{list}");
        }
    }
}

//! Questions to instance data, as `cloud-init query` answers them.
//!
//! Source: cloud-init 25.1.4, `cloudinit/cmd/query.py` and `cloudinit/handlers/jinja_template.py`.

use serde_json::{Map, Value};

use crate::jinja;

/// Instance data as it is asked: what is below `v1` is at the top as well.
#[must_use]
pub fn hoisted(data: &Value) -> Value {
    let Value::Object(map) = data else {
        return data.clone();
    };
    let mut all = Map::new();
    for (name, value) in map {
        let value = hoisted(value);
        all.insert(name.clone(), value.clone());
        if let (true, Value::Object(below)) = (is_version(name), value) {
            all.extend(below);
        }
    }
    Value::Object(all)
}

/// `v1`, `v2` ...
fn is_version(name: &str) -> bool {
    let digits = name.strip_prefix('v').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The value at a path such as `ds.meta_data.ami_id` of hoisted data; a name may have `_` where the
/// key has an operator of jinja.
///
/// # Errors
/// Which name of the path is not there.
pub fn find<'v>(data: &'v Value, path: &str) -> Result<&'v Value, String> {
    let mut value = data;
    let mut walked = String::new();
    for name in path.split('.') {
        let Value::Object(map) = value else {
            return Err(format!("instance-data `{walked}` has nothing below it"));
        };
        let by_alias = || map.iter().find(|(key, _)| jinja::alias(key) == name);
        let next = map.get(name).or_else(|| by_alias().map(|(_, value)| value));
        value = match next {
            Some(next) => next,
            None if walked.is_empty() => return Err(format!("no instance-data key `{path}`")),
            None => return Err(format!("instance-data `{walked}` has no `{name}`")),
        };
        if !walked.is_empty() {
            walked.push('.');
        }
        walked.push_str(name);
    }
    Ok(value)
}

/// What a template became, and the names that it asked for in vain.
pub type Rendered = (String, Vec<String>);

/// Renders a template, without a header, with instance data.
///
/// # Errors
/// Why it could not be rendered, with the line.
pub fn render(template: &str, data: &Value) -> Result<Rendered, String> {
    let Value::Object(variables) = hoisted(data) else {
        return Err("instance-data is no mapping".to_owned());
    };
    match jinja::render(template, &variables) {
        Ok(rendered) => Ok((rendered.text, rendered.missing)),
        Err(fault) if fault.line == 0 => Err(fault.message),
        Err(fault) => Err(format!("line {}: {}", fault.line, fault.message)),
    }
}

/// What stands behind the header of a template, if the text is one.
#[must_use]
pub fn template(text: &str) -> Option<&str> {
    jinja::body(text)
}

/// JSON as cloud-init writes it: sorted, a blank for each depth.
#[must_use]
pub fn to_json(value: &Value) -> String {
    String::from_utf8_lossy(&super::json(value))
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn data() -> Value {
        hoisted(&json!({
            "ds": {"meta-data": {"ami-id": "ami-1", "tags": ["a", "b"], "02:0a": {"mac": 1}}},
            "v1": {"region": "eu-west-1", "instance-id": "i-1"},
        }))
    }

    #[test]
    fn a_key_is_found_by_its_path_and_by_its_other_spelling() {
        let data = data();
        #[rustfmt::skip]
        let table = [
            ("v1.region",               json!("eu-west-1")),
            ("region",                  json!("eu-west-1")),
            ("instance_id",             json!("i-1")),
            ("ds.meta_data.ami_id",     json!("ami-1")),
            ("ds.meta-data.tags",       json!(["a", "b"])),
            ("ds.meta_data.02_0a.mac",  json!(1)),
        ];
        for (path, wanted) in table {
            assert_eq!(find(&data, path), Ok(&wanted), "{path}");
        }
        #[rustfmt::skip]
        let table = [
            ("nokey",                   "no instance-data key `nokey`"),
            ("ds.meta_data.none",       "instance-data `ds.meta_data` has no `none`"),
            ("region.more",             "instance-data `region` has nothing below it"),
        ];
        for (path, wanted) in table {
            assert_eq!(find(&data, path), Err(wanted.to_owned()), "{path}");
        }
    }

    #[test]
    fn a_template_takes_what_is_known_and_names_what_is_not() {
        let data = data();
        assert_eq!(
            render(
                "{{ region }}/{{ ds.meta_data.ami_id }} {{ nothing }}",
                &data
            ),
            Ok((
                "eu-west-1/ami-1 CI_MISSING_JINJA_VAR/nothing".to_owned(),
                vec!["nothing".to_owned()]
            ))
        );
        assert!(
            render("\n{% if %}", &data)
                .unwrap_err()
                .starts_with("line 2: ")
        );
    }

    #[test]
    fn json_has_the_form_that_cloud_init_gives_it() {
        let value = json!({"b": [1, "x"], "a": {}, "c": []});
        let wanted = "{\n \"a\": {},\n \"b\": [\n  1,\n  \"x\"\n ],\n \"c\": []\n}";
        assert_eq!(to_json(&value), wanted);
    }
}

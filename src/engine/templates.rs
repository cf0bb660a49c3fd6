//! The image's own templates, such as /etc/cloud/templates/hosts.debian.tmpl.
//!
//! Source: cloud-init, `cloudinit/templater.py` (`detect_template`, `render_string`).

use contract::template::Variables;
use serde_json::Value;

use crate::jinja;

/// Renders a template with these variables: jinja if its first line says so, and else `$name` and
/// `${name}`.
///
/// # Errors
/// What is wrong with the template, and in which line.
pub fn render(text: &str, variables: &Variables) -> Result<String, String> {
    let Some(body) = jinja::body(text) else {
        return Ok(names(text, variables));
    };
    // The last line end is put behind what comes of the rest, as in cloud-init.
    let (body, end) = match body.strip_suffix('\n') {
        Some(body) => (body, "\n"),
        None => (body, ""),
    };
    let rendered = jinja::render(body, variables.as_map());
    rendered
        .map(|rendered| rendered.text + end)
        .map_err(|fault| match fault.line {
            0 => fault.message,
            line => format!("line {}: {}", line.saturating_add(1), fault.message),
        })
}

/// A name that is not known stays as it is.
fn names(text: &str, variables: &Variables) -> String {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        let braced = behind
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let bare = behind.split_at(end.unwrap_or(behind.len()));
        let (name, after) = braced.unwrap_or(bare);
        match variables.as_map().get(name).and_then(Value::as_str) {
            Some(value) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push('$');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_rendered_as_its_first_line_says() {
        let names = ["a".to_owned(), "b".to_owned()];
        let variables = Variables::default()
            .text("hostname", "web")
            .text("fqdn", "web.example.com")
            .list("names", &names);
        #[rustfmt::skip]
        let table = [
            ("## template:jinja\n{#\nnote\n-#}\n# top\n{{fqdn}} {{ hostname }}\n", "# top\nweb.example.com web\n"),
            ("## template: jinja\n{% for n in names %}\n{{n}}\n{% endfor %}\nend\n", "a\nb\nend\n"),
            ("## template:jinja\n{% if domain is defined %}\nx\n{% endif %}\ny\n",   "y\n"),
            ("## template:jinja\nx\n{% if fqdn %}\ny{% endif %}\n",                  "x\ny\n"),
            ("127.0.1.1 $fqdn ${hostname} $other ${x}$\n",                            "127.0.1.1 web.example.com web $other ${x}$\n"),
        ];
        for (text, wanted) in table {
            assert_eq!(render(text, &variables).as_deref(), Ok(wanted), "{text}");
        }
        let wrong = render("## template:jinja\nx\n{% if %}\n", &variables);
        assert!(wrong.unwrap_err().starts_with("line 3: "));
    }
}

//! Tells somebody that this machine is there, and by which host keys it is known.
//!
//! Source: cloud-init, `cloudinit/config/cc_phone_home.py`.

use contract::effect::{Effect, PostSpec};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::template::Variables;
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::fields::Fields;
use crate::files;
use crate::hostname;

const NAME: &str = "phone_home";

/// What `post: all` stands for.
const ALL: [&str; 6] = [
    "pub_key_rsa",
    "pub_key_ecdsa",
    "pub_key_ed25519",
    "instance_id",
    "hostname",
    "fqdn",
];
/// What is sent for something that there is not.
const NOTHING: &str = "N/A";
const TRIES: u32 = 10;
/// More tries than anybody waits for.
const MOST_TRIES: u32 = 1000;

const KEYS: &[Key] = &[Key::new(
    NAME,
    Shape::Map(&[
        Key::new(
            "url",
            Shape::Text,
            "where it is sent by an HTTP POST; `$INSTANCE_ID` in it is this instance's",
        )
        .required(),
        Key::new(
            "post",
            Shape::OneOf(&[Shape::Word(&["all"]), Shape::List(&Shape::Word(&ALL))]),
            "what is sent",
        )
        .or("all"),
        Key::new(
            "tries",
            Shape::Integer(1, 1000),
            "how many tries there are, three seconds apart",
        )
        .or("10"),
    ]),
    "tell somebody that this machine is there",
)];

/// Sends what somebody wants to know of this machine.
pub(crate) struct PhoneHome;

/// `phone_home:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    phone_home: Option<Value>,
}

impl Module for PhoneHome {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "tell somebody that this machine is there, with its host keys",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/phone_home.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let told = &mut plan.problems;
        let Some(section) = want.phone_home else {
            return plan;
        };
        let Some(fields) = Fields::of(NAME, &section, told) else {
            return plan;
        };
        let url = url(&fields, &section, ctx, told);
        let form = form(&fields, ctx, told);
        let tries = tries(&fields, told);
        if let (Some(url), Some(form)) = (url, form) {
            let spec = PostSpec { url, form, tries };
            let mut step = Step::new(NAME, [Effect::Post(Box::new(spec))]);
            // Whoever is not told does not keep the machine from being what it shall be.
            step.is_lenient = true;
            plan.push(step);
        }
        plan
    }
}

fn url(
    fields: &Fields<'_>,
    section: &Value,
    ctx: &Context<'_>,
    told: &mut Vec<Problem>,
) -> Option<Secret<String>> {
    if fields.get("url").is_none() {
        let message = "phone_home.url: it is missing";
        told.push(Problem::error(Some(section.place.clone()), message));
        return None;
    }
    let given = fields.text("url", told)?;
    let mut wrong = |reason: &str| {
        let message = format!("phone_home.url: {reason}");
        told.push(Problem::error(Some(given.place.clone()), message));
        None
    };
    let id = ctx.instance.instance_id.to_string();
    let variables = Variables::default().text("INSTANCE_ID", &id);
    let url = match (ctx.render)(given.value.trim_start(), &variables) {
        Ok(url) => url,
        Err(reason) => return wrong(&reason),
    };
    let is_http = url.starts_with("https://") || url.starts_with("http://");
    if !is_http {
        return wrong("expected an address that begins with `https://` or `http://`");
    }
    Some(Secret::new(url))
}

/// What is sent, in the order in which it was asked for.
fn form(
    fields: &Fields<'_>,
    ctx: &Context<'_>,
    told: &mut Vec<Problem>,
) -> Option<Vec<(String, String)>> {
    let names = hostname::Wanted::default().names(ctx).ok().flatten();
    let names = names.or_else(|| hostname::current(ctx));
    let value = |name: &str| match name {
        "instance_id" => Some(ctx.instance.instance_id.to_string()),
        "hostname" => names.as_ref().map(|names| names.short.clone()),
        "fqdn" => names.as_ref().map(|names| names.full.clone()),
        name => {
            let kind = name
                .strip_prefix("pub_key_")
                .filter(|_| ALL.contains(&name))?;
            let path = format!("/etc/ssh/ssh_host_{kind}_key.pub");
            files::text(ctx.probe, path)
        }
    };
    let given = fields.get("post");
    let is_all = given.is_none_or(|given| given.as_str() == Some("all"));
    if is_all {
        // An image need not have keys of all types.
        let all = ALL.map(|name| (name.to_owned(), value(name).unwrap_or(NOTHING.to_owned())));
        return Some(all.to_vec());
    }
    if !matches!(given?.kind, Kind::List(_)) {
        let message = "phone_home.post: expected all, or a list of what is sent";
        told.push(Problem::error(
            given.map(|given| given.place.clone()),
            message,
        ));
        return None;
    }
    let mut form = Vec::new();
    for name in fields.texts("post", told)? {
        let value = value(&name.value).unwrap_or_else(|| {
            let shown = name.value.replace(char::is_control, "\u{fffd}");
            let message = format!("phone_home.post: `{shown}` is sent as {NOTHING}");
            told.push(match ALL.contains(&name.value.as_str()) {
                true => Problem::warning(None, message + ": this machine has none"),
                false => Problem::warning(Some(name.place), message)
                    .hint(format!("write {}", ALL.join(", "))),
            });
            NOTHING.to_owned()
        });
        form.push((name.value, value));
    }
    Some(form)
}

fn tries(fields: &Fields<'_>, told: &mut Vec<Problem>) -> u32 {
    let Some(given) = fields.get("tries") else {
        return TRIES;
    };
    let number = given
        .to_text()
        .and_then(|text| text.trim().parse::<u32>().ok());
    number.map_or_else(
        || {
            let message = format!("phone_home.tries: expected a number; it is taken as {TRIES}");
            told.push(Problem::warning(Some(given.place.clone()), message));
            TRIES
        },
        |number| number.clamp(1, MOST_TRIES),
    )
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    fn setting() -> Setting {
        let files = [(
            "/etc/ssh/ssh_host_ed25519_key.pub",
            "ssh-ed25519 AAAA root@web\n",
        )];
        let mut setting = Setting {
            machine: FakeMachine::with(&files),
            ..Setting::default()
        };
        setting.instance.local_hostname = "ip-10-0-0-1.ec2.internal".parse().ok();
        setting
    }

    fn sent(plan: &Plan) -> Option<PostSpec> {
        plan.effects().find_map(|effect| match effect {
            Effect::Post(spec) => Some((**spec).clone()),
            _ => None,
        })
    }

    #[test]
    fn what_is_asked_for_is_sent_in_its_order() {
        #[rustfmt::skip]
        let table: [(&str, &[(&str, &str)]); 4] = [
            ("", &[
                ("pub_key_rsa", "N/A"), ("pub_key_ecdsa", "N/A"), ("pub_key_ed25519", "ssh-ed25519 AAAA root@web\n"),
                ("instance_id", "i-1"), ("hostname", "ip-10-0-0-1"), ("fqdn", "ip-10-0-0-1.ec2.internal"),
            ]),
            (", post: [fqdn, instance_id]", &[("fqdn", "ip-10-0-0-1.ec2.internal"), ("instance_id", "i-1")]),
            (", post: [pub_key_ed25519]",   &[("pub_key_ed25519", "ssh-ed25519 AAAA root@web\n")]),
            (", post: []",                  &[]),
        ];
        for (post, wanted) in table {
            let config = format!("phone_home: {{url: 'https://a.example/?k=1'{post}}}");
            let plan = setting().plan::<PhoneHome>(&config);
            let form = sent(&plan).unwrap().form;
            let form: Vec<(&str, &str)> =
                form.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            assert_eq!(form, wanted, "{post}");
            assert_eq!(plan.problems, [], "{post}");
        }
    }

    #[test]
    fn the_address_may_name_the_instance_and_is_told_without_its_secrets() {
        let config = "phone_home: {url: 'https://a.example/{{INSTANCE_ID}}?key=hunter2', post: [fqdn], tries: 3}";
        let plan = setting().plan::<PhoneHome>(config);
        let spec = sent(&plan).unwrap();
        assert_eq!(spec.url.expose(), "https://a.example/i-1?key=hunter2");
        assert_eq!(spec.tries, 3);
        assert_eq!(plan.lines(), ["fqdn sent to https://a.example/i-1"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let url = "url: 'http://a.example'";
        #[rustfmt::skip]
        let table = [
            // of phone_home                                 sent   says
            ("[a]".to_owned(),                               false, "test:1:13: phone_home: expected a mapping, found a list"),
            ("{post: all}".to_owned(),                       false, "test:1:13: phone_home.url: it is missing"),
            ("{url: 'file:///etc/shadow'}".to_owned(),       false, "test:1:19: phone_home.url: expected an address that begins with `https://` or `http://`"),
            (format!("{{{url}, post: some}}"),               false, "test:1:45: phone_home.post: expected all, or a list of what is sent"),
            (format!("{{{url}, post: [pub_key_rsa]}}"),      true,  "phone_home.post: `pub_key_rsa` is sent as N/A: this machine has none"),
            (format!("{{{url}, post: [pub_key_dsa]}}"),      true,  "test:1:46: phone_home.post: `pub_key_dsa` is sent as N/A (write pub_key_rsa, pub_key_ecdsa, pub_key_ed25519, instance_id, hostname, fqdn)"),
            (format!("{{{url}, tries: many}}"),              true,  "test:1:46: phone_home.tries: expected a number; it is taken as 10"),
        ];
        for (section, is_sent, says) in table {
            let plan = setting().plan::<PhoneHome>(&format!("phone_home: {section}"));
            assert_eq!(sent(&plan).is_some(), is_sent, "{section}");
            let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
            assert_eq!(said, [says], "{section}");
        }
    }
}

use std::cell::RefCell;

use contract::config::Config;
use contract::custom::Ask;
use contract::machine::NotDone;
use contract::module::{Facts, Frequency, Module, NoKeys, Stage, Wake};
use contract::package::{PackageJob, PackageManager, PackagesSpec};
use contract::params::Params;
use contract::testing::{FakeMachine, instance};
use contract::yaml::{self, Kind, Limits};

use super::*;

mod secrets;

macro_rules! own {
    ($type:ident, $name:literal, $stage:ident) => {
        struct $type;
        impl Module for $type {
            const FACTS: Facts = Facts {
                name: $name,
                summary: "for tests",
                stage: Stage::$stage,
                frequency: Frequency::Instance,
                wake: Wake::Always,
                keys: &[Key::new($name, contract::schema::Shape::Any, "for tests")],
            };
            type Section = NoKeys;

            fn plan(_: NoKeys, _: &Context<'_>) -> Plan {
                Plan::nothing()
            }
        }
    };
}

own!(Users, "users", Identity);
own!(Zone, "zone", Config);
own!(Units, "units", Config);
own!(Scripts, "scripts", Final);

const TABLE: &[Entry] = &[
    Entry::of::<Users>(),
    Entry::of::<Zone>(),
    Entry::of::<Units>(),
    Entry::of::<Scripts>(),
];

const OWN: Own = Own {
    table: TABLE,
    names: &["users", "ntp"],
    keys: &["ntp"],
    others: &[],
    packages: |names, _| {
        let packages = names.iter().map(|name| contract::package::Package {
            name: (*name).to_owned(),
            version: None,
        });
        Some(Effect::Packages(Box::new(PackagesSpec {
            manager: PackageManager::Dnf,
            job: PackageJob::Install {
                packages: packages.collect(),
                update: false,
                or_snap: Vec::new(),
            },
        })))
    },
};

const SITE: &str = "\
name: site
summary: set up the site
stage: config
keys:
  site:
    type: object
    properties:
      port: {type: integer, minimum: 1}
      users: {type: array, items: {type: string}}
      password: {type: string}
      code: {type: string, writeOnly: true}
      allow_password: {type: boolean}
    required: [port]
    additionalProperties: false
";

fn loaded(files: &[(&str, &str)]) -> (Cow<'static, [Entry]>, Vec<String>) {
    let files: Vec<(String, &str)> = files
        .iter()
        .flat_map(|(name, text)| {
            let path = format!("{DIR}/{name}");
            [(format!("{path}.yaml"), *text), (path, "#!/bin/sh\n")]
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    let (table, problems) = load(&FakeMachine::with(&files), &OWN);
    (table, problems.iter().map(ToString::to_string).collect())
}

struct Program {
    answer: Result<&'static str, NoAnswer>,
    asked: RefCell<Vec<(String, usize)>>,
}

impl Ask for Program {
    fn ask(&self, question: &Question<'_>) -> Result<Secret<Vec<u8>>, NoAnswer> {
        let text = String::from_utf8(question.text.expose().clone()).unwrap();
        self.asked.borrow_mut().push((text, question.secrets.len()));
        let answer = self.answer.clone();
        answer.map(|text| Secret::new(text.into()))
    }
}

/// What becomes of an answer, and the questions.
fn answered(config: &str, answer: Result<&'static str, NoAnswer>) -> (Plan, Vec<(String, usize)>) {
    let (table, problems) = loaded(&[("site", SITE)]);
    assert_eq!(problems, Vec::<String>::new());
    let document = yaml::parse(config, "part-001", &Limits::default()).unwrap();
    let Kind::Map(root) = document.value.kind else {
        panic!("no mapping: {config}");
    };
    let program = Program {
        answer,
        asked: RefCell::default(),
    };
    let machine = FakeMachine::default();
    let plan = table
        .iter()
        .find(|entry| entry.is_custom())
        .unwrap()
        .plan(&Context {
            instance: &instance(),
            config: &Config::new(root),
            params: &Params::default(),
            scripts: &[],
            handlers: &[],
            instance_dir: Path::new("/"),
            scripts_dir: Path::new("/"),
            probe: &machine,
            ask: &program,
            render: |_, _| Err(String::new()),
        });
    (plan, program.asked.into_inner())
}

const CONFIG: &str =
    "site: {port: 80, users: [ada], password: hunter2, code: tr0ub4dor}\nother: 1\n";

fn problem_of(answer: &'static str) -> String {
    let (plan, _) = answered(CONFIG, Ok(answer));
    assert_eq!(plan.steps, [], "{answer}");
    plan.problems[0].to_string()
}

#[test]
fn without_the_directory_the_table_is_firstlights_own() {
    let (table, problems) = load(&FakeMachine::default(), &OWN);
    assert!(matches!(table, Cow::Borrowed(own) if own.len() == TABLE.len()));
    assert_eq!(problems, []);
}

#[test]
fn a_module_stands_at_the_end_of_its_stage_or_where_it_says() {
    let manifest = |name: &str, more: &str| format!("name: {name}\nsummary: x\n{more}\n");
    let (a, b, c, d) = (
        manifest("a", "stage: config"),
        manifest("b", "stage: config\nafter: zone"),
        manifest("c", "stage: config\nafter: zone"),
        manifest("d", "stage: identity\nfrequency: always"),
    );
    let (table, problems) = loaded(&[("a", &a), ("b", &b), ("c", &c), ("d", &d)]);
    let names: Vec<&str> = table.iter().map(|entry| entry.facts.name).collect();
    assert_eq!(
        names,
        ["users", "d", "zone", "b", "c", "units", "a", "scripts"]
    );
    assert_eq!(problems, Vec::<String>::new());
    let facts = table[1].facts;
    assert_eq!(
        (facts.frequency, facts.wake),
        (Frequency::Always, Wake::Always)
    );
}

#[test]
fn a_module_may_follow_another_of_the_image_whatever_they_are_called() {
    let manifest = |name: &str, after: &str| {
        format!("name: {name}\nsummary: x\nstage: config\nafter: {after}\n")
    };
    #[rustfmt::skip]
    let table = [
        (&[("a", "b"), ("b", "c"), ("c", "zone")][..], &["c", "b", "a"][..], &[][..]),
        (&[("a", "b"), ("b", "zone"), ("c", "zone")],  &["b", "c", "a"],     &[]),
        (&[("a", "b"), ("b", "a"), ("c", "zone")],     &["c"],               &["a.yaml:4:8: after: `b` ", "b.yaml:4:8: after: `a` "]),
        (&[("a", "a")],                                &[],                  &["a.yaml:4:8: after: `a` "]),
        (&[("a", "b"), ("b", "scripts")],              &[],                  &["b.yaml:4:8: after: stage config has no module `scripts`", "a.yaml:4:8: after: stage config has no module `b`"]),
    ];
    for (said, wanted, wrong) in table {
        let manifests: Vec<_> = said
            .iter()
            .map(|(name, after)| manifest(name, after))
            .collect();
        let names = said.iter().map(|(name, _)| *name);
        let files: Vec<_> = names.zip(manifests.iter().map(String::as_str)).collect();
        let (table, problems) = loaded(&files);
        let custom = table.iter().filter(|entry| entry.is_custom());
        let names: Vec<&str> = custom.map(|entry| entry.facts.name).collect();
        assert_eq!(names, wanted, "{said:?}");
        assert_eq!(problems.len(), wrong.len(), "{problems:?}");
        for (problem, wrong) in problems.iter().zip(wrong) {
            assert!(problem.starts_with(&format!("{DIR}/{wrong}")), "{problem}");
        }
    }
}

#[test]
fn a_manifest_of_another_ending_is_told_of() {
    let path = format!("{DIR}/site.yml");
    let (table, problems) = load(&FakeMachine::with(&[(path.as_str(), SITE)]), &OWN);
    assert_eq!(table.len(), TABLE.len());
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let wanted = "the module is not used: nobody reads this file (a manifest is called NAME.yaml)";
    assert_eq!(said, [format!("{path}: {wanted}")]);
}

#[test]
fn a_manifest_that_is_wrong_costs_its_module_and_says_where() {
    let dir = DIR;
    let good = "summary: x\nstage: config\n";
    #[rustfmt::skip]
    let table = [
        ("site", "name: other\n".to_owned() + good, "1:7: name: expected `site`, as the file is called"),
        ("users", "name: users\n".to_owned() + good, "1:7: name: there is a module `users` already"),
        ("ntp",  "name: ntp\n".to_owned() + good, "1:7: name: there is a module `ntp` already"),
        ("site", format!("name: site\n{good}keys: {{zone: }}"), "4:12: keys: somebody else reads `zone`"),
        ("site", format!("name: site\n{good}keys: {{ntp: {{type: string}}}}"), "4:13: keys: somebody else reads `ntp`"),
        ("site", format!("name: site\n{good}keys: {{output: {{type: string}}}}"), "4:16: keys: somebody else reads `output`"),
        ("site", format!("name: site\n{good}after: scripts"), "4:8: after: stage config has no module `scripts` (`firstlight modules` lists them)"),
        ("site", format!("name: site\n{good}timeout: 1h"), "4:10: timeout: expected `1s` to `5m`"),
        ("site", format!("name: site\n{good}colour: red"), "4:1: unknown key `colour`, expected one of `name`, `summary`, `stage`, `frequency`, `after`, `timeout`, `keys`, `notes`"),
        ("site", "name: site\nsummary: x\nstage: early".to_owned(), "3:8: stage: expected one of `identity`, `config`, `final`"),
        ("site", format!("name: site\n{good}keys: {{site: {{tpye: string}}}}"), "4:15: keys.site: unknown key `tpye`, expected one of `type`, `description`, `default`, `enum`, `minimum`, `maximum`, `items`, `properties`, `required`, `additionalProperties`, `writeOnly`"),
        ("site", format!("name: site\n{good}keys: {{site: {{properties: {{port: {{}}}}, required: [prot]}}}}"), "4:50: required: expected names of `properties`"),
        ("site", "summary: x".to_owned(), "1:1: missing key `name`"),
    ];
    for (name, manifest, wanted) in table {
        let (entries, problems) = loaded(&[(name, &manifest)]);
        assert_eq!(entries.len(), TABLE.len(), "{manifest}");
        assert_eq!(problems, [format!("{dir}/{name}.yaml:{wanted}")]);
    }
}

#[test]
fn a_manifest_is_no_larger_than_it_need_be_whatever_it_is_called() {
    let dir = DIR;
    let good = "name: site\nsummary: x\nstage: config\n";
    let deep = format!(
        "{good}keys: {{site: {}{}}}",
        "{items: ".repeat(40),
        "}".repeat(40)
    );
    let wide = format!(
        "{good}notes: &a x\nkeys: {{site: {{enum: [{}]}}}}",
        vec!["*a"; 9000].join(", ")
    );
    #[rustfmt::skip]
    let table = [
        ("site", good.to_owned() + "notes: " + &"x".repeat(64 << 10), format!("{dir}/site.yaml: the manifest is larger than 64 KiB")),
        ("site", deep,                       format!("{dir}/site.yaml:4:")),
        ("site", wide,                       format!("{dir}/site.yaml:5:")),
        ("site", format!("{good}keys: {{"),  format!("{dir}/site.yaml:4:7: a bracket is not closed")),
        ("",     good.to_owned(),            format!("{dir}/.yaml: the module is not used: a name is a lower-case letter")),
        ("a\nb", good.to_owned(),            format!("{dir}/a\\nb.yaml: the module is not used: a name is a lower-case letter")),
    ];
    for (name, manifest, wanted) in table {
        let (entries, problems) = loaded(&[(name, &manifest)]);
        assert_eq!(entries.len(), TABLE.len(), "{wanted}");
        assert!(problems[0].starts_with(&wanted), "{problems:?}");
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
}

#[test]
fn a_schema_says_what_firstlights_own_keys_could_say() {
    let (table, _) = loaded(&[("site", SITE)]);
    let keys = table
        .iter()
        .find(|entry| entry.is_custom())
        .unwrap()
        .facts
        .keys;
    let schema = serde_json::Value::Object(crate::validate::properties(keys));
    let fields = &schema["site"]["properties"];
    assert_eq!(schema["site"]["required"], json!(["port"]));
    assert_eq!(schema["site"]["additionalProperties"], json!(false));
    assert_eq!(fields["port"]["minimum"], json!(1));
    assert_eq!(fields["users"]["items"], json!({"type": "string"}));
    assert_eq!(fields["code"]["writeOnly"], json!(true));
}

#[test]
fn a_key_is_secret_if_what_has_no_key_of_its_own_in_it_is() {
    #[rustfmt::skip]
    let table = [
        ("{type: array, items: {type: string, writeOnly: true}}",                         true),
        ("{items: {type: string, writeOnly: true}}",                                      true),
        ("{type: object, additionalProperties: {type: string, writeOnly: true}}",         true),
        ("{additionalProperties: {writeOnly: true}}",                                     true),
        ("{type: array, items: {type: array, items: {type: string, writeOnly: true}}}",   true),
        ("{type: array, items: {type: object, properties: {a: {writeOnly: true}}}}",      false),
        ("{type: array, items: {type: string}}",                                          false),
    ];
    for (schema, wanted) in table {
        let manifest = format!(
            "name: site\nsummary: set up the site\nstage: config\nkeys:\n  site: {schema}\n"
        );
        let (entries, problems) = loaded(&[("site", &manifest)]);
        assert_eq!(problems, [""; 0], "{schema}");
        let own = entries.iter().find(|entry| entry.is_custom()).unwrap();
        assert_eq!(own.facts.keys[0].is_secret, wanted, "{schema}");
    }
}

#[test]
fn it_is_asked_about_its_own_keys_and_the_instance() {
    let (plan, asked) = answered(CONFIG, Ok("{}"));
    assert_eq!(plan, Plan::nothing());
    let question: serde_json::Value = serde_json::from_str(&asked[0].0).unwrap();
    let wanted =
        json!({"site": {"port": 80, "users": ["ada"], "password": "hunter2", "code": "tr0ub4dor"}});
    assert_eq!(question["config"], wanted);
    assert_eq!(question["module"], "site");
    assert_eq!(question["stage"], "config");
    assert_eq!(question["protocol"], 1);
    assert_eq!(question["instance"]["instance_id"], "i-1");
    assert_eq!(asked[0].1, 2, "the secrets that must not reach the log");
}

#[test]
fn a_section_that_its_schema_does_not_allow_is_not_asked_about() {
    let (plan, asked) = answered("site: {port: 0, usres: [ada]}\n", Ok("{}"));
    let problems: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "part-001:1:14: site.port: expected an integer from 1 to 9223372036854775807, found an integer",
            "part-001:1:17: unknown key `site.usres` (did you mean `users`?)",
        ]
    );
    assert_eq!(asked, []);
}

#[test]
fn an_answer_becomes_effects() {
    let answer = r#"{"steps": [
        {"name": "app", "effects": [
            {"packages": {"names": ["nginx"]}},
            {"group": {"name": "app"}},
            {"user": {"name": "app", "primary_group": "app", "system": true}},
            {"member": {"user": "ada", "group": "app"}},
            {"authorized_keys": {"user": "app", "keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvG"]}},
            {"directory": {"path": "/srv/app", "mode": "0750", "owner": "app:app"}},
            {"file": {"path": "/srv/app/port", "content": "80\n"}},
            {"file": {"path": "/srv/app/code", "content": "tr0ub4dor", "mode": "0640", "owner": "root:app"}},
            {"link": {"path": "/etc/app", "to": "/srv/app"}},
            {"absent": {"path": "/etc/old"}},
            {"tool": {"what": "index of /srv/app", "argv": ["mandb"], "stdin": "hunter2", "creates": "/srv/i"}},
            {"console": {"text": "app is set up"}}
         ],
         "on_change": [{"unit": {"verb": "try-reload-or-restart", "name": "app.service"}}]},
        {"name": "first", "needs_previous": true, "effects": [
            {"run": {"label": "app --init", "argv": ["app", "--init"], "env": {"CODE": "tr0ub4dor"}, "timeout": 60}}
        ]}
    ], "problems": [
        {"severity": "warning", "message": "hunter2 is short", "key": "site.users[0]"}
    ]}"#;
    let (plan, _) = answered(CONFIG, Ok(answer));
    assert_eq!(
        plan.lines(),
        [
            "package nginx (dnf)",
            "group app",
            "user app",
            "user ada in group app",
            "1 authorized key of app",
            "directory /srv/app (0750)",
            "file /srv/app/port (0644)",
            "file /srv/app/code (0640 root:app)",
            "link /etc/app -> /srv/app",
            "no file /etc/old",
            "index of /srv/app",
            "1 line on the console",
            "try-reload-or-restart app.service",
            "run app --init",
        ]
    );
    assert!(
        plan.steps[1].needs_previous
            && plan.steps[1].runs_code()
            && !plan.steps[1].inputs.expose().is_empty()
    );
    let shown = format!("{plan:?}");
    for secret in ["hunter2", "tr0ub4dor"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    assert_eq!(
        plan.problems[0].to_string(),
        "part-001:1:26: ‹secret› is short"
    );
}

#[test]
fn an_answer_that_is_wrong_anywhere_is_refused_as_a_whole() {
    #[rustfmt::skip]
    let table = [
        ("",                 "answer of site: the answer is refused: it is empty; no effects are `{}`"),
        ("done",             "answer of site:1:1: the answer is refused: it is not JSON"),
        (r#"{"step": []}"#,  "answer of site:1:2: the answer is refused: unknown key `step`, expected one of `steps`, `problems`"),
        (r#"{"steps": [{"name": "a b"}]}"#,
         "answer of site:1:21: the answer is refused: steps[0].name: expected a name of its own, 1 to 64 letters, digits, `.`, `_` and `-`"),
        (r#"{"steps": [{"name": "a", "effects": [{"file": {"path": "/a", "content": "", "owned": "x"}}]}]}"#,
         "answer of site:1:77: the answer is refused: steps[0].effects[0].file: unknown key `owned`, expected one of `path`, `content`, `content_base64`, `mode`, `owner`, `secret`"),
        (r#"{"steps": [{"name": "a", "effects": [{"mount": {}}]}]}"#,
         "answer of site:1:39: the answer is refused: steps[0].effects[0]: unknown key `mount`, expected one of `file`, `directory`, `link`, `absent`, `group`, `user`, `member`, `authorized_keys`, `packages`, `unit`, `tool`, `run`, `console`"),
        (r#"{"steps": [{"name": "a", "effects": [{}]}]}"#,
         "answer of site:1:38: the answer is refused: steps[0].effects[0]: expected exactly one effect, such as `file`"),
        (r#"{"steps": [{"name": "a", "effects": [{"file": {"path": "a", "content": ""}}]}]}"#,
         "answer of site:1:38: the answer is refused: steps[0].effects[0].file.path: expected an absolute path without `..`, of at most 4095 bytes and no control characters"),
        (r#"{"steps": [{"name": "a", "effects": [{"file": {"path": "/a", "content": "", "mode": "rw"}}]}]}"#,
         "answer of site:1:38: the answer is refused: steps[0].effects[0].file.mode: expected octal digits, such as \"0644\""),
        (r#"{"steps": [{"name": "a", "on_change": [{"unit": {"verb": "halt", "name": "a.service"}}]}]}"#,
         "answer of site:1:58: the answer is refused: steps[0].on_change[0].unit.verb: expected one of `start`, `restart`, `try-restart`, `try-reload-or-restart`, `stop`"),
    ];
    for (answer, wanted) in table {
        assert_eq!(problem_of(answer), wanted, "{answer}");
    }
}

#[test]
fn an_answer_has_its_limits() {
    let effect = |text: &str| format!(r#"{{"steps": [{{"name": "a", "effects": [{text}]}}]}}"#);
    let long = "x".repeat(4096);
    #[rustfmt::skip]
    let table = [
        (format!("[{}0]", "0,".repeat(1 << 16)),                 "it has more than 65536 values"),
        (format!(r#"{{"problems": [{}{{"message": "x"}}]}}"#, r#"{"message": "x"},"#.repeat(256)),
                                                                 "more than 256 steps, 4096 effects or 256 problems"),
        (effect(r#"{"absent": {"path": "/a\nb"}}"#),             "absent.path: expected an absolute path"),
        (effect(&format!(r#"{{"absent": {{"path": "/{long}"}}}}"#)), "of at most 4095 bytes"),
        (effect(r#"{"link": {"path": "/a", "to": "a\u001b"}}"#), "link.to: expected a path"),
        (effect(r#"{"user": {"name": "a", "homedir": "/a:0"}}"#), "user.homedir: expected one line without a colon"),
        (effect(r#"{"user": {"name": "a", "shell": "/a\nb"}}"#), "user.shell: expected one line without a colon"),
        (effect(r#"{"user": {"name": "a", "gecos": "a\tb"}}"#),  "user.gecos: expected one line without a colon"),
        (format!(r#"{{"tr0ub4dor\n{long}": 1}}"#),               "refused: unknown key `‹secret› xxxx"),
    ];
    for (answer, wanted) in table {
        let problem = problem_of(answer.leak());
        assert!(problem.contains(wanted), "{wanted}: {problem}");
        assert!(problem.len() < 700 && !problem.contains('\n'), "{problem}");
    }
    // What is text counts once, whatever is in it; many keys are no more work than many entries.
    let content = r#",:[{\"\\"#.repeat(1 << 14);
    let variables: Vec<String> = (0..32_000).map(|n| format!(r#""V{n}": """#)).collect();
    let variables = variables.join(",");
    #[rustfmt::skip]
    let table = [
        (format!(r#"{{"file": {{"path": "/a", "content": "{content}"}}}}"#), "file /a (0644)"),
        (format!(r#"{{"run": {{"label": "a", "argv": ["a"], "env": {{{variables}}}}}}}"#), "run a"),
    ];
    for (text, wanted) in table {
        let (plan, _) = answered(CONFIG, Ok(effect(&text).leak()));
        assert_eq!(plan.lines(), [wanted]);
    }
}

#[test]
fn a_program_that_cannot_be_asked_is_no_fault_and_one_that_fails_is_one() {
    let here = NoAnswer::NotHere(NotDone::NeedsRoot);
    let (plan, _) = answered(CONFIG, Err(here));
    assert_eq!(plan, Plan::not_done("ask", NotDone::NeedsRoot));
    let failed = NoAnswer::Failed("it did not end within 1 s".to_owned());
    let (plan, _) = answered(CONFIG, Err(failed));
    assert_eq!(
        plan.problems[0].to_string(),
        "module `site` of the image gave no answer: it did not end within 1 s (its standard error may say more)"
    );
}

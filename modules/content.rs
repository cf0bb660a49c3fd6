//! Content: directories that hold what an S3 prefix or a directory of the image holds.
//!
//! An entry whose owner does not exist yet (a service's account that a package makes) is left to
//! the final stage.

use std::path::{Component, Path, PathBuf};

use contract::effect::{Effect, MirrorSpec, Mode, Origin, Owner, Switch};
use contract::instance::InstanceMetadata;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::place::Place;
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Each, Placed, Value};
use serde::Deserialize;

use crate::command;
use crate::script;

const KEYS: &[Key] = &[Key::new(
    "content",
    Shape::List(&Shape::Strict(ENTRY)),
    "directories that hold what a bucket or another directory holds",
)];

const ENTRY: &[Key] = &[
    Key::new(
        "source",
        Shape::Text,
        "`s3://BUCKET/PREFIX` or `file:///DIRECTORY`",
    )
    .required(),
    Key::new(
        "dest",
        Shape::Text,
        "an absolute path, a directory of its own",
    )
    .required(),
    Key::new("owner", Shape::Text, "`USER` or `USER:GROUP`").or("root"),
    Key::new("delete", Shape::Bool, "remove what the source has not").or("false"),
    Key::new(
        "switch",
        Shape::Word(&["in-place", "atomic"]),
        "file by file, or all at once",
    )
    .or("in-place"),
    Key::new(
        "keep",
        Shape::Integer(0, 4_294_967_295),
        "how many earlier releases an atomic switch keeps",
    )
    .or("3"),
    Key::new(
        "adopt",
        Shape::Bool,
        "take over a destination that holds files of somebody else",
    )
    .or("false"),
    Key::new(
        "verify",
        Shape::Word(&["sha256", "none"]),
        "what each file must match: its line in `SHA256SUMS`, or what S3 keeps of it",
    )
    .or("none"),
    Key::new(
        "endpoint",
        Shape::Text,
        "`https://HOST` of a store that speaks S3 and is not AWS",
    ),
    Key::new("region", Shape::Text, "where to ask first"),
    Key::new("anonymous", Shape::Bool, "ask without credentials").or("false"),
    Key::new("refresh", Shape::Scalar, "not done by this version"),
    Key::new(
        "on_change",
        Shape::List(&command::SHAPE),
        "commands to run when something changed",
    ),
];

/// Fetches what can be fetched before the final stage.
pub(crate) struct Content;

/// Fetches what had to wait for its owner.
pub(crate) struct ContentDeferred;

/// `content:`, a list of entries.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    content: Option<Each<Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    source: Placed<String>,
    dest: Placed<String>,
    owner: Option<Placed<String>>,
    #[serde(default)]
    delete: bool,
    switch: Option<Placed<String>>,
    keep: Option<u32>,
    #[serde(default)]
    adopt: bool,
    verify: Option<Placed<String>>,
    endpoint: Option<String>,
    region: Option<String>,
    #[serde(default)]
    anonymous: bool,
    refresh: Option<Placed<Value>>,
    on_change: Option<Each<Value>>,
}

impl Module for Content {
    const FACTS: Facts = Facts {
        name: "content",
        summary: "fetch content from a bucket or a directory",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/content.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        plan(&want, ctx, |mirror| owner_exists(mirror, ctx), Told::All)
    }
}

impl Module for ContentDeferred {
    const FACTS: Facts = Facts {
        name: "content_deferred",
        summary: "fetch the content that had to wait for its owner",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/content.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let is_new = |mirror: &MirrorSpec| matches!(ctx.probe.kind(&mirror.manifest), Ok(None));
        plan(
            &want,
            ctx,
            |mirror| !is_root(mirror) && is_new(mirror),
            Told::Nothing,
        )
    }
}

/// Whether problems are told: once is enough.
#[derive(PartialEq, Eq)]
enum Told {
    All,
    Nothing,
}

fn plan(
    want: &Section,
    ctx: &Context<'_>,
    wanted: impl Fn(&MirrorSpec) -> bool,
    told: Told,
) -> Plan {
    let mut plan = Plan::nothing();
    for entry in want.content.iter().flat_map(Each::iter) {
        match entry
            .map_err(Problem::from)
            .and_then(|entry| step(&entry, ctx, &mut plan.problems))
        {
            Ok((mirror, on_change)) if wanted(&mirror) => {
                let mut step = Step::new(
                    mirror.dest.display().to_string(),
                    [Effect::Mirror(Box::new(mirror))],
                );
                step.on_change = on_change;
                plan.push(step);
            }
            Ok(_) => {}
            Err(problem) => plan.problems.push(problem),
        }
    }
    if told == Told::Nothing {
        plan.problems.clear();
    }
    plan
}

fn is_root(mirror: &MirrorSpec) -> bool {
    mirror.owner == Owner::Root
}

fn owner_exists(mirror: &MirrorSpec, ctx: &Context<'_>) -> bool {
    match &mirror.owner {
        Owner::Root => true,
        Owner::Named { user, .. } => ctx.probe.user(user).is_ok_and(|account| account.is_some()),
    }
}

fn step(
    entry: &Entry,
    ctx: &Context<'_>,
    problems: &mut Vec<Problem>,
) -> Result<(MirrorSpec, Vec<Effect>), Problem> {
    if let Some(refresh) = &entry.refresh {
        let message =
            "content: refresh is not done by this version: content is fetched once for an instance";
        let hint = "`firstlight run content --force` fetches what changed";
        problems.push(Problem::warning(Some(refresh.place.clone()), message).hint(hint));
    }
    let dest = destination(&entry.dest)?;
    let escaped = dest
        .display()
        .to_string()
        .trim_matches('/')
        .replace('_', "__")
        .replace('/', "_");
    let mirror = MirrorSpec {
        origin: origin(entry, ctx.instance)?,
        owner: owner(entry.owner.as_ref())?,
        file_mode: Mode::PUBLIC,
        dir_mode: Mode::PUBLIC_DIR,
        delete: entry.delete,
        switch: switch(entry)?,
        adopt: entry.adopt,
        verify_sha256: verify(entry.verify.as_ref())?,
        manifest: PathBuf::from(format!("/var/lib/firstlight/content/{escaped}.json")),
        dest,
    };
    let mut on_change = Vec::new();
    for command in entry.on_change.iter().flat_map(Each::values) {
        on_change.push(command_of(command)?);
    }
    Ok((mirror, on_change))
}

fn wrong(place: &Place, key: &str, what: &str) -> Problem {
    Problem::error(Some(place.clone()), format!("content: {key}: {what}"))
}

fn destination(dest: &Placed<String>) -> Result<PathBuf, Problem> {
    let path = Path::new(&dest.value);
    let plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if path.is_absolute() && plain && path.parent().is_some() && !dest.value.contains('\0') {
        Ok(path.to_owned())
    } else {
        Err(wrong(
            &dest.place,
            "dest",
            "expected an absolute path without `..`, and not `/`",
        ))
    }
}

fn origin(entry: &Entry, instance: &InstanceMetadata) -> Result<Origin, Problem> {
    let source = &entry.source.value;
    let wrong = |what| wrong(&entry.source.place, "source", what);
    if let Some(path) = source.strip_prefix("file://") {
        let path = Path::new(path);
        let plain = path
            .components()
            .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        return match path.is_absolute() && plain {
            true => Ok(Origin::Directory(path.to_owned())),
            false => Err(wrong(
                "expected `file:///` and an absolute path without `..`",
            )),
        };
    }
    let Some(rest) = source.strip_prefix("s3://") else {
        return Err(wrong(
            "expected `s3://BUCKET/PREFIX` or `file:///DIRECTORY`",
        ));
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    // A directory's name: `site` is not to bring `site-old/` along.
    let prefix = match prefix {
        "" => String::new(),
        prefix if prefix.ends_with('/') => prefix.to_owned(),
        prefix => format!("{prefix}/"),
    };
    // Source: Amazon S3 User Guide, "General purpose bucket naming rules".
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(letter) {
        return Err(wrong(
            "a bucket's name has 3 to 63 lower-case letters, digits, hyphens and dots",
        ));
    }
    Ok(Origin::S3 {
        bucket: bucket.to_owned(),
        prefix,
        endpoint: entry.endpoint.clone(),
        region: entry.region.clone().or_else(|| instance.region.clone()),
        domain: instance.service_domain.clone(),
        anonymous: entry.anonymous,
    })
}

fn owner(owner: Option<&Placed<String>>) -> Result<Owner, Problem> {
    let Some(owner) = owner else {
        return Ok(Owner::Root);
    };
    let (user, group) = match owner.value.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (owner.value.as_str(), None),
    };
    if user.is_empty() || group == Some("") {
        return Err(wrong(
            &owner.place,
            "owner",
            "expected `USER` or `USER:GROUP`",
        ));
    }
    if user == "root" && group.is_none_or(|group| group == "root") {
        return Ok(Owner::Root);
    }
    Ok(Owner::Named {
        user: user.to_owned(),
        group: group.map(str::to_owned),
    })
}

fn switch(entry: &Entry) -> Result<Switch, Problem> {
    let Some(switch) = &entry.switch else {
        return Ok(Switch::InPlace);
    };
    match switch.value.as_str() {
        "in-place" => Ok(Switch::InPlace),
        "atomic" => Ok(Switch::Atomic {
            keep: entry.keep.unwrap_or(3),
        }),
        _ => Err(wrong(
            &switch.place,
            "switch",
            "expected `in-place` or `atomic`",
        )),
    }
}

fn verify(verify: Option<&Placed<String>>) -> Result<bool, Problem> {
    match verify.map(|verify| (verify.value.as_str(), &verify.place)) {
        None | Some(("none", _)) => Ok(false),
        Some(("sha256", _)) => Ok(true),
        Some((_, place)) => Err(wrong(place, "verify", "expected `sha256` or `none`")),
    }
}

fn command_of(command: &Value) -> Result<Effect, Problem> {
    let Some(program) = command::program(command) else {
        return Err(wrong(&command.place, "on_change", command::EXPECTED));
    };
    Ok(Effect::Run(script::command("on_change command", program)))
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting, assert_described};

    use super::*;

    #[test]
    fn the_schema_has_the_fields_that_are_read() {
        assert_described::<Entry>(ENTRY);
    }

    #[test]
    fn an_entry_becomes_a_mirror_with_its_commands() {
        let config = "content: [{source: 's3://acme-site/site/', dest: /var/www/html, delete: true, on_change: [reload]}]";
        let plan = Setting::default().plan::<Content>(config);
        assert_eq!(plan.problems, []);
        assert_eq!(
            plan.lines(),
            [
                "content /var/www/html = s3://acme-site/site/",
                "run on_change command"
            ]
        );
    }

    #[test]
    fn an_entry_waits_for_its_owner() {
        let config = "content: [{source: 'file:///site', dest: /srv, owner: 'www:www'}]";
        assert!(Setting::default().plan::<Content>(config).steps.is_empty());
        assert_eq!(
            Setting::default()
                .plan::<ContentDeferred>(config)
                .steps
                .len(),
            1
        );
        let machine = FakeMachine::with(&[("/etc/passwd", "www:x:33:33::/srv:/bin/sh\n")]);
        assert_eq!(
            Setting {
                machine,
                ..Setting::default()
            }
            .plan::<Content>(config)
            .steps
            .len(),
            1
        );
    }

    #[test]
    fn a_bad_entry_is_told_with_its_place_and_the_others_go_on() {
        #[rustfmt::skip]
        let table = [
            ("{source: 'ftp://x', dest: /srv}",                         "source: expected `s3://"),
            ("{source: 's3://x', dest: /srv}",                          "3 to 63"),
            ("{source: 'file:///x', dest: srv}",                        "dest: expected an absolute path"),
            ("{source: 'file:///x', dest: /srv/../etc}",                "dest: expected an absolute path"),
            ("{source: 'file:///x', dest: /}",                          "dest: expected an absolute path"),
            ("{source: 'file:///x', dest: /srv, switch: fast}",         "switch: expected"),
            ("{source: 'file:///x', dest: /srv, verify: md5}",          "verify: expected"),
            ("{source: 'file:///x', dest: /srv, colour: red}",          "colour"),
            ("{source: 'file:///x', dest: /srv, on_change: [[]]}",      "on_change: expected a command"),
            ("{dest: /srv}",                                            "source"),
        ];
        for (entry, says) in table {
            let config =
                format!("content:\n  - {entry}\n  - {{source: 'file:///good', dest: /good}}\n");
            let plan = Setting::default().plan::<Content>(&config);
            assert_eq!(plan.steps.len(), 1, "{entry}");
            let said = plan.problems[0].to_string();
            assert!(
                said.starts_with("test:2:") && said.contains(says),
                "{entry}: {said}"
            );
        }
    }
}

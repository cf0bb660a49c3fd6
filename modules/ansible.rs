//! Ansible: it is installed, and playbooks are applied to this machine or, from it, to others.
//!
//! Source: cloud-init, `cloudinit/config/cc_ansible.py`; ansible-pull(1), ansible-playbook(1).

use std::path::Path;

use contract::effect::Effect;
use contract::machine::Probe;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::distribution;
use crate::files;
use crate::hidden;
use crate::packages;
use crate::told::Told;

mod caller;
mod keys;
#[cfg(test)]
mod tests;

use caller::Caller;

const NAME: &str = "ansible";

/// Installs Ansible and lets it work.
pub(crate) struct Ansible;

/// `ansible:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    ansible: Option<Value>,
}

impl Module for Ansible {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "install Ansible and apply playbooks",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: keys::KEYS,
    };
    const NOTES: &'static str = include_str!("notes/ansible.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(want) = &want.ansible else {
            return Plan::nothing();
        };
        let mut told = match Told::of(NAME, want) {
            Ok(told) => told,
            Err(plan) => return plan,
        };
        // Nothing at all asks for nothing, as with cloud-init.
        if told.pairs().next().is_none() {
            return Plan::nothing();
        }
        let mut steps = Vec::new();
        plan(&mut told, &mut steps, ctx);
        let mut plan = Plan::nothing();
        for step in steps {
            plan.push(step.after_previous());
        }
        plan.problems = told.problems;
        plan
    }
}

/// Where it comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Distribution,
    Pip,
}

fn plan(told: &mut Told<'_>, steps: &mut Vec<Step>, ctx: &Context<'_>) {
    let words = [("distro", Method::Distribution), ("pip", Method::Pip)];
    let user = told.user("run_user");
    // Nobody else is to run it in somebody's place.
    let is_user_clear = user.is_some() == told.get("run_user").is_some();
    let Some(method) = told.word("install_method", &words, Method::Distribution) else {
        return;
    };
    if !is_user_clear {
        return;
    }
    let caller = Caller {
        user,
        config: told.line("ansible_config"),
        is_from_pip: method == Method::Pip,
    };
    install(told, method, &caller, steps, ctx);
    let mut work = Vec::new();
    galaxy(told, &caller, &mut work);
    pull(told, &caller, &mut work);
    if let Some(mut controller) = told.below("setup_controller") {
        control(&mut controller, &caller, &mut work, ctx.probe);
        told.problems.append(&mut controller.problems);
    }
    // Playbooks need the roles and the playbooks before them.
    if told.is_clear() {
        steps.extend(work);
    }
}

fn install(
    told: &mut Told<'_>,
    method: Method,
    caller: &Caller,
    steps: &mut Vec<Step>,
    ctx: &Context<'_>,
) {
    let package = told.package("package_name");
    if package.is_none() && told.get("package_name").is_some() {
        return;
    }
    let package = package.unwrap_or_else(|| packages::named(NAME));
    match method {
        Method::Distribution if distribution::has_program(ctx.probe, NAME) => {}
        Method::Distribution => {
            let package = vec![package];
            let wanted = packages::wanted(NAME, package, false, ctx, &mut told.problems);
            steps.push(Step::new("install", wanted));
        }
        Method::Pip if caller.has_ansible(ctx.probe) => {}
        Method::Pip => {
            let has_pip = ["pip3", "pip"].map(|name| distribution::has_program(ctx.probe, name));
            if !has_pip.contains(&true) {
                let pip = vec![packages::named(distribution::pip_package(ctx.probe))];
                let wanted = packages::wanted(NAME, pip, false, ctx, &mut told.problems);
                steps.push(Step::new("pip", wanted));
            }
            let newest = caller.pip(&["--upgrade", "pip"]);
            let version = package.version.map(|version| format!("=={version}"));
            let package = package.name + &version.unwrap_or_default();
            let effects = [newest, caller.pip(&[&package])];
            steps.push(Step::new("install", effects.map(Effect::Run)));
        }
    }
}

/// Roles and collections.
fn galaxy(told: &mut Told<'_>, caller: &Caller, steps: &mut Vec<Step>) {
    let Some(mut galaxy) = told.below("galaxy") else {
        return;
    };
    let actions = entries(&mut galaxy, "actions");
    for (number, action) in actions.iter().enumerate() {
        let words: Option<Vec<String>> = match &action.kind {
            Kind::List(words) => words.iter().map(Value::to_text).collect(),
            _ => None,
        };
        let key = format!("actions[{number}]");
        match words.filter(|words| !words.is_empty()) {
            Some(words) if hidden::is_in_arguments(&words) => {
                let hint = "leave it out: tokens may be in the file that GALAXY_TOKEN_PATH of Ansible's configuration \
                            names, and git takes a deploy key or a `credential.helper`";
                refuse(&mut galaxy, &key, action, hint);
            }
            Some(words) => {
                let run = Effect::Run(caller.command("ansible-galaxy", words, None));
                steps.push(Step::new(format!("galaxy-{}", number + 1), [run]));
            }
            None => galaxy.expected(&key, action, "a list of words"),
        }
    }
    told.problems.append(&mut galaxy.problems);
}

/// The entries of a list that has to be there.
fn entries<'a>(told: &mut Told<'a>, key: &str) -> &'a [Value] {
    let Some(value) = told.get(key) else {
        told.missing(key);
        return &[];
    };
    value.as_list().unwrap_or_else(|| {
        told.expected(key, value, "a list");
        &[]
    })
}

/// Playbooks of a repository, for this machine.
fn pull(told: &mut Told<'_>, caller: &Caller, steps: &mut Vec<Step>) {
    let Some(value) = told.get("pull") else {
        return;
    };
    let one = std::slice::from_ref(value);
    let pulls = value.as_list().unwrap_or(one).iter().enumerate();
    for (number, entry) in pulls {
        let path = match value.as_list() {
            Some(_) => format!("{NAME}.pull[{number}]"),
            None => format!("{NAME}.pull"),
        };
        match Told::of(&path, entry) {
            Ok(mut pull) => {
                if let Some(argv) = pull_command(&mut pull) {
                    let run = Effect::Run(caller.command("ansible-pull", argv, None));
                    steps.push(Step::new(format!("pull-{}", number + 1), [run]));
                }
                told.problems.append(&mut pull.problems);
            }
            Err(mut plan) => told.problems.append(&mut plan.problems),
        }
    }
}

/// `None`: it is not clear what is wanted, so that nothing is run.
fn pull_command(pull: &mut Told<'_>) -> Option<Vec<String>> {
    let playbooks = match pull.get("playbook_names") {
        None => needed(pull, "playbook_name").map(|name| vec![name]),
        Some(_) => pull.words("playbook_names"),
    };
    let url = needed(pull, "url");
    let mut argv = vec!["ansible-pull".to_owned()];
    argv.extend(options(pull, &["playbook_name", "playbook_names"])?);
    url.and(playbooks).map(|playbooks| {
        argv.extend(playbooks);
        argv
    })
}

/// Repositories that are cloned, and playbooks that are applied from here.
fn control(controller: &mut Told<'_>, caller: &Caller, steps: &mut Vec<Step>, probe: &dyn Probe) {
    let keys = ["repositories", "run_ansible"];
    let given = keys.map(|key| controller.get(key).is_some());
    if given == [false, false] {
        controller.missing("run_ansible");
    }
    let lists = keys.map(|key| match controller.get(key) {
        Some(_) => entries(controller, key),
        None => &[],
    });
    let [repositories, playbooks] = lists;
    for (number, entry) in repositories.iter().enumerate() {
        let key = format!("repositories[{number}]");
        let step = each(controller, &key, entry, |told| {
            let argv = clone_command(told, probe)?;
            let run = Effect::Run(caller.command("git clone", argv, None));
            Some(Step::new(format!("repository-{}", number + 1), [run]))
        });
        steps.extend(step);
    }
    for (number, entry) in playbooks.iter().enumerate() {
        let key = format!("run_ansible[{number}]");
        let step = each(controller, &key, entry, |told| {
            let (argv, dir) = playbook_command(told)?;
            let run = Effect::Run(caller.command("ansible-playbook", argv, Some(&dir)));
            Some(Step::new(format!("playbook-{}", number + 1), [run]))
        });
        steps.extend(step);
    }
}

/// `None`: it is there already.
fn clone_command(told: &mut Told<'_>, probe: &dyn Probe) -> Option<Vec<String>> {
    let (source, path) = (address(told, "source"), needed(told, "path"));
    let (source, path) = source.zip(path)?;
    if files::exists(probe, Path::new(&path).join(".git")) {
        return None;
    }
    let argv = ["git", "clone", &source, &path].map(ToOwned::to_owned);
    Some(argv.into())
}

/// With the directory in which it is called.
fn playbook_command(told: &mut Told<'_>) -> Option<(Vec<String>, String)> {
    let (dir, name) = (needed(told, "playbook_dir"), needed(told, "playbook_name"));
    let options = options(told, &["playbook_dir", "playbook_name"])?;
    let (dir, name) = dir.zip(name)?;
    let mut argv = vec!["ansible-playbook".to_owned(), name];
    argv.extend(options);
    Some((argv, dir))
}

/// The step of one entry of a list, with what is wrong with it.
fn each<'a>(
    told: &mut Told<'a>,
    key: &str,
    entry: &'a Value,
    step: impl FnOnce(&mut Told<'a>) -> Option<Step>,
) -> Option<Step> {
    match Told::of(&told.name(key), entry) {
        Ok(mut fields) => {
            let step = step(&mut fields);
            told.problems.append(&mut fields.problems);
            step
        }
        Err(mut plan) => {
            told.problems.append(&mut plan.problems);
            None
        }
    }
}

/// A text of one line that has to be given, and that no tool takes for an option.
fn needed(told: &mut Told<'_>, key: &str) -> Option<String> {
    let Some(value) = told.get(key) else {
        told.missing(key);
        return None;
    };
    let text = told.line(key)?;
    if text.starts_with('-') {
        told.expected(key, value, "what begins with no `-`");
        return None;
    }
    Some(text)
}

/// A repository's address, which becomes an argument of git and of the programs that git calls, so that
/// everybody would see a password or a token in it.
fn address(told: &mut Told<'_>, key: &str) -> Option<String> {
    let address = needed(told, key)?;
    match told.get(key) {
        Some(value) if hidden::has_secret(&address) => {
            refuse(told, key, value, DEPLOY_KEY);
            None
        }
        _ => Some(address),
    }
}

/// Where git looks for what an address must not have.
const DEPLOY_KEY: &str = "leave it out, and give git a deploy key, or the password in a file that \
                          `credential.helper` of its configuration names";

/// Where Ansible looks for variables that nobody else may see.
const AT_FILE: &str =
    "leave it out, and name a file of mode 0600, such as with `extra_vars: '@/root/vars.yml'`";

/// An argument of a program is there for every user of the machine to see.
fn refuse(told: &mut Told<'_>, key: &str, value: &Value, hint: &str) {
    let message = format!(
        "{}: everybody would see the password or token in it",
        told.name(key)
    );
    let problem = Problem::error(Some(value.place.clone()), message);
    told.problems.push(problem.hint(hint));
}

/// `--clean`, `--inventory=hosts`: every field but these is an option. False leaves it out. In
/// alphabetical order, as cloud-init has them.
fn options(told: &mut Told<'_>, but: &[&str]) -> Option<Vec<String>> {
    let mut options = Vec::new();
    let is_name = |key: &str| {
        key.bytes()
            .all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'-')
    };
    for (key, value) in told.pairs().filter(|(key, _)| !but.contains(key)) {
        let option = format!("--{}", key.replace('_', "-"));
        match value.as_bool() {
            _ if !is_name(key) => {
                let message = format!("{}: that cannot be an option of Ansible", told.name(key));
                let problem = Problem::error(Some(value.place.clone()), message);
                told.problems.push(problem);
                return None;
            }
            Some(true) => options.push((key, option)),
            Some(false) => {}
            None => {
                let text = told.text(key)?;
                let option = format!("{option}={text}");
                if hidden::is_in_arguments(std::slice::from_ref(&option)) {
                    let hint = match hidden::has_secret(&text) {
                        true => DEPLOY_KEY,
                        false => AT_FILE,
                    };
                    refuse(told, key, value, hint);
                    return None;
                }
                options.push((key, option));
            }
        }
    }
    options.sort_by_key(|(key, _)| *key);
    Some(options.into_iter().map(|(_, option)| option).collect())
}

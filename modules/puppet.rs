//! Puppet's agent: its package, its configuration, a first run, and its service.
//!
//! Source: cloud-init, `cloudinit/config/cc_puppet.py`; Puppet, "Configuration: Important settings"
//! and "CSR attributes and certificate extensions".

use std::path::PathBuf;

use contract::effect::{
    BlockSpec, CommandSpec, Effect, Mode, Owner, Program, Setting, Text, UnitVerb,
};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::{Secret, is_secret_name};
use contract::yaml::{self, Value};
use serde::Deserialize;

use crate::files;
use crate::hidden;
use crate::hostname::{self, Wanted};
use crate::installer::Installer;
use crate::packages;
use crate::script;
use crate::services;
use crate::told::Told;

const NAME: &str = "puppet";
const INSTALLER: &str =
    "https://raw.githubusercontent.com/puppetlabs/install-puppet/main/install.sh";
/// The package and its service are called one or the other, the newer first.
const NAMES: [&str; 2] = ["puppet-agent", "puppet"];
const AIO_PROGRAM: &str = "/opt/puppetlabs/bin/puppet";

const SETTINGS: Shape = Shape::Named(&Shape::Scalar);

const WANTED: &[Key] = &[
    Key::new("install", Shape::Switch, "install the agent").or("true"),
    Key::new(
        "version",
        Shape::Scalar,
        "which version; the newest if it is not given",
    ),
    Key::new(
        "install_type",
        Shape::Word(&["packages", "aio"]),
        "from the distribution's packages, or by Puppet's own installer",
    )
    .or("packages"),
    Key::new(
        "collection",
        Shape::Text,
        "of `aio`: from which collection, such as `puppet8`",
    ),
    Key::new(
        "aio_install_url",
        Shape::Text,
        "of `aio`: where the installer is",
    )
    .or(INSTALLER),
    Key::new(
        "cleanup",
        Shape::Switch,
        "of `aio`: remove Puppet's repository afterwards",
    )
    .or("true"),
    Key::new("conf_file", Shape::Text, "where puppet.conf is"),
    Key::new("ssl_dir", Shape::Text, "where certificates are"),
    Key::new(
        "csr_attributes_path",
        Shape::Text,
        "where csr_attributes.yaml is",
    ),
    Key::new(
        "package_name",
        Shape::Text,
        "the package; by default `puppet-agent`, or else `puppet`",
    ),
    Key::new("exec", Shape::Switch, "run the agent once").or("false"),
    Key::new(
        "exec_args",
        Shape::OneOf(&[Shape::List(&Shape::Scalar), Shape::Text]),
        "the arguments of that run",
    )
    .or("[--test]"),
    Key::new(
        "start_service",
        Shape::Switch,
        "start the agent's service, now and at each boot",
    )
    .or("true"),
    Key::new("conf", Shape::Map(CONF), "lines of puppet.conf, by section"),
    Key::new(
        "csr_attributes",
        Shape::Map(&[
            Key::new(
                "custom_attributes",
                SETTINGS,
                "attributes of the request alone",
            ),
            Key::new(
                "extension_requests",
                SETTINGS,
                "extensions of the certificate",
            ),
        ]),
        "what stands in csr_attributes.yaml",
    )
    .secret(),
];

const CONF: &[Key] = &[
    Key::new("main", SETTINGS, "of all"),
    Key::new("server", SETTINGS, "of the server"),
    Key::new(
        "agent",
        SETTINGS,
        "of the agent; in `certname` stands %i for the instance id and %f for the full name",
    ),
    Key::new("user", SETTINGS, "of the command line"),
    Key::new(
        "ca_cert",
        Shape::Text,
        "the certificate of the server's authority, which becomes a file",
    ),
];

/// Installs, configures and starts the agent.
pub(crate) struct Puppet;

/// `puppet:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    puppet: Option<Value>,
}

impl Module for Puppet {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "install, configure and start Puppet's agent",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(WANTED),
            "Puppet's agent, once for an instance",
        )],
    };
    const NOTES: &'static str = include_str!("notes/puppet.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        Told::plan(NAME, want.puppet.as_ref(), |told| {
            Agent::of(told, ctx).plan()
        })
    }
}

/// Where the agent comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Make {
    /// The distribution.
    Packages,
    /// Puppet itself, which keeps all of it in /opt/puppetlabs.
    Aio,
}

/// Where the agent keeps what. Source: Puppet, "Directories: confdir", "ssldir"; Debian's package.
struct Places {
    conf_file: String,
    ssl_dir: String,
    csr_attributes: String,
}

impl Places {
    fn of(make: Make) -> Self {
        let (conf, ssl) = match make {
            Make::Packages => ("/etc/puppet", "/var/lib/puppet/ssl"),
            Make::Aio => ("/etc/puppetlabs/puppet", "/etc/puppetlabs/puppet/ssl"),
        };
        Self {
            conf_file: format!("{conf}/puppet.conf"),
            ssl_dir: ssl.to_owned(),
            csr_attributes: format!("{conf}/csr_attributes.yaml"),
        }
    }

    fn told(mut self, told: &mut Told<'_>) -> Self {
        for (key, place) in [
            ("conf_file", &mut self.conf_file),
            ("ssl_dir", &mut self.ssl_dir),
            ("csr_attributes_path", &mut self.csr_attributes),
        ] {
            *place = told.path(key).unwrap_or_else(|| std::mem::take(place));
        }
        self
    }
}

struct Agent<'a> {
    told: Told<'a>,
    ctx: &'a Context<'a>,
    /// `None`: it is not clear what was meant.
    make: Option<Make>,
    /// Whose its files are, and what it is called.
    user: &'static str,
    program: &'static str,
    places: Places,
}

impl<'a> Agent<'a> {
    fn of(mut told: Told<'a>, ctx: &'a Context<'a>) -> Self {
        let words = [("packages", Make::Packages), ("aio", Make::Aio)];
        let make = told.word("install_type", &words, Make::Packages);
        // A package from Puppet's repository, which the image may have, is laid out as Puppet's own.
        let is_aio = || files::exists(ctx.probe, AIO_PROGRAM);
        let layout = match make {
            Some(Make::Aio) => Make::Aio,
            _ if is_aio() => Make::Aio,
            _ => Make::Packages,
        };
        let (user, program) = match layout {
            Make::Aio => ("root", AIO_PROGRAM),
            Make::Packages => ("puppet", "puppet"),
        };
        let places = Places::of(layout).told(&mut told);
        Self {
            told,
            ctx,
            make,
            user,
            program,
            places,
        }
    }

    fn plan(mut self) -> Plan {
        let mut plan = Plan::nothing();
        let mut effects = Vec::new();
        let is_installed = self.told.switch("install", true);
        let version = self.told.line("version");
        match self.make {
            Some(Make::Packages) if is_installed => effects.extend(self.package(version)),
            Some(Make::Aio) if is_installed => plan.push(self.installer(version).step(self.ctx)),
            _ => self.odd_version(is_installed),
        }
        effects.extend(self.configuration());
        effects.extend(self.csr_attributes());
        plan.push(Step::new("agent", effects).after_previous());
        let starts = self.told.switch("start_service", true);
        let runs = self.told.switch("exec", false);
        let run = runs.then(|| Effect::Run(self.run()));
        if self.told.is_clear() {
            plan.steps.extend(self.working(starts, run).steps);
        }
        plan.problems = self.told.problems;
        plan
    }

    /// The first run, if there is one, and the service.
    fn working(&self, starts: bool, run: Option<Effect>) -> Plan {
        let mut plan = Plan::nothing();
        let probe = self.ctx.probe;
        let start = starts.then(|| services::first_job(UnitVerb::Start, &NAMES, probe));
        // An agent without a service of these names is warned about, and can do its work.
        let enabled = starts.then(|| services::first_enabled(&NAMES, probe));
        let mut service = Step::new("service", enabled.flatten()).after_previous();
        service.is_lenient = true;
        if run.is_some() {
            plan.push(service);
            plan.push(Step::new("run", run).after_previous());
            // A first run that fails is one that the service repeats.
            let mut start = Step::new("start", start);
            start.is_lenient = true;
            plan.push(start);
        } else {
            service.on_change.extend(start);
            plan.push(service);
        }
        plan
    }

    fn package(&mut self, version: Option<String>) -> Option<Effect> {
        let named = self.told.package("package_name");
        let is_first = named.is_none();
        let names = NAMES.map(packages::named);
        let mut packages = named.map_or_else(|| names.into(), |named| vec![named]);
        for package in &mut packages {
            package.version = version.clone().or(package.version.take());
        }
        packages::wanted(NAME, packages, is_first, self.ctx, &mut self.told.problems)
    }

    fn installer(&mut self, version: Option<String>) -> Installer<'static> {
        let mut arguments = Vec::new();
        for (option, value) in [("-v", version), ("-c", self.told.line("collection"))] {
            arguments.extend(
                value
                    .into_iter()
                    .flat_map(|value| [option.to_owned(), value]),
            );
        }
        if self.told.switch("cleanup", true) {
            arguments.push("--cleanup".to_owned());
        }
        let url = self.told.line("aio_install_url");
        Installer {
            name: "puppet-install",
            url: url.unwrap_or_else(|| INSTALLER.to_owned()),
            arguments,
        }
    }

    fn odd_version(&mut self, is_installed: bool) {
        let version = self.told.get("version").filter(|_| !is_installed);
        if let Some(version) = version {
            let message = "puppet.version: with `install: false` it has no effect";
            let problem = Problem::warning(Some(version.place.clone()), message);
            self.told.problems.push(problem);
        }
    }

    /// puppet.conf, and the certificate that is no line of it.
    fn configuration(&mut self) -> Vec<Effect> {
        let Some(mut conf) = self.told.below("conf") else {
            return Vec::new();
        };
        let mut effects = Vec::new();
        let mut settings = Vec::new();
        for (key, _) in conf.pairs() {
            if key == "ca_cert" {
                effects.extend(
                    conf.text(key)
                        .map(|pem| self.authority(pem))
                        .into_iter()
                        .flatten(),
                );
                continue;
            }
            let Some(mut section) = conf.below(key) else {
                continue;
            };
            for (name, _) in section.pairs() {
                settings.extend(section.setting(Some(key), name));
            }
            conf.problems.append(&mut section.problems);
        }
        for setting in settings
            .iter_mut()
            .filter(|setting| setting.name == "certname")
        {
            self.expand(setting);
        }
        self.told.problems.append(&mut conf.problems);
        if !settings.is_empty() {
            let is_secret = settings.iter().any(|setting| {
                let value = setting.value.expose();
                is_secret_name(&setting.name) || hidden::has_password(value)
            });
            effects.push(Effect::Block(Box::new(BlockSpec {
                what: "Puppet's configuration".to_owned(),
                at: PathBuf::from(&self.places.conf_file),
                text: Text::Settings {
                    settings,
                    is_secret,
                },
                mode: match is_secret {
                    true => Mode::PRIVATE,
                    false => Mode::PUBLIC,
                },
                check: None,
            })));
        }
        effects
    }

    /// Names of certificates are in lower case.
    fn expand(&self, setting: &mut Setting) {
        let mut name = setting.value.expose().clone();
        if name.contains("%f") {
            let wanted = self
                .ctx
                .config
                .section::<Wanted>(&["hostname", "fqdn"])
                .ok();
            let names = wanted.and_then(|wanted| wanted.names(self.ctx).ok().flatten());
            let names = names.or_else(|| hostname::current(self.ctx));
            name = name.replace(
                "%f",
                names.as_ref().map_or("localhost", |names| &names.full),
            );
        }
        let name = name.replace("%i", self.ctx.instance.instance_id.as_str());
        setting.value = Secret::new(name.to_lowercase());
    }

    fn authority(&self, pem: String) -> [Effect; 3] {
        let owner = Owner::Named {
            user: self.user.to_owned(),
            group: Some("root".to_owned()),
        };
        let directory = |path: &str, mode| Effect::Directory {
            at: path.into(),
            mode: Mode::new(mode),
            owner: owner.clone(),
        };
        let ssl = &self.places.ssl_dir;
        let certs = format!("{ssl}/certs");
        let file = contract::effect::FileSpec {
            at: format!("{certs}/ca.pem").as_str().into(),
            content: contract::effect::Content::Plain(pem.into_bytes()),
            mode: Mode::PUBLIC,
            owner: owner.clone(),
        };
        [
            directory(ssl, 0o771),
            directory(&certs, 0o755),
            Effect::File(file),
        ]
    }

    /// A challenge password or a shared key may be in it.
    fn csr_attributes(&mut self) -> Option<Effect> {
        let attributes = self.told.mapping("csr_attributes")?;
        let bytes = Secret::new(yaml::to_string(attributes).into_bytes());
        let path = self.places.csr_attributes.as_str();
        Some(Effect::secret_file(path, bytes, Mode::PRIVATE))
    }

    fn run(&mut self) -> CommandSpec {
        let arguments = self.told.words("exec_args");
        let arguments = arguments.unwrap_or_else(|| vec!["--test".to_owned()]);
        let detailed = ["--test", "-t", "--detailed-exitcodes"];
        let is_detailed = arguments
            .iter()
            .any(|word| detailed.contains(&word.as_str()));
        let mut argv = Vec::new();
        if is_detailed {
            // It ends with 2 when it has changed something (puppet-agent(8)).
            let line = r#""$@"; code=$?; [ $code = 2 ] || exit $code"#;
            argv.extend(["sh", "-c", line, "sh"].map(ToOwned::to_owned));
        }
        argv.extend([self.program.to_owned(), "agent".to_owned()]);
        argv.extend(arguments);
        script::command("puppet agent", Program::Argv(argv))
    }
}

#[cfg(test)]
mod tests;

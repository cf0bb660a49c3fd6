//! One run of firstlight: the machine, its image's configuration, and who it is.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use contract::custom::Ask;
use contract::datasource::{Datasource, Found, SourceContext};
use contract::instance::InstanceMetadata;
use contract::machine::Machine;
use contract::module::{Context, Entry, Frequency, Stage};
use contract::plan::Problem;
use contract::report::{ModuleReport, ProblemReport, Report, StageReport};
use datasources::Seed;
use engine::cloud_init::Marks;
use engine::cloud_init::log::OUTPUT_LOG;
use engine::image::Image;
use engine::runner::Runner;
use engine::semaphore::Semaphores;
use engine::settings::Settings;
use engine::store::Store;
use engine::{Prepared, Reach, Surroundings, report_file};
use net::s3::S3;
use system::{DryRun, Host, RunLock};

use crate::catalogue::Catalogue;
use crate::fetch::Fetcher;
pub(crate) use crate::target::Target;
use crate::{checks, cloud_init, image_tree};

/// The machine and what its image says, before it is known which instance it is.
pub(crate) struct Session {
    pub(crate) host: Host,
    pub(crate) settings: Settings,
    pub(crate) image: Image,
    pub(crate) catalogue: Catalogue,
    problems: Vec<Problem>,
    s3: S3,
    seed: Option<PathBuf>,
    /// Unix time in seconds.
    begun: f64,
}

/// Who this machine is, and everything that was asked of it.
pub(crate) struct Known {
    pub(crate) metadata: InstanceMetadata,
    pub(crate) prepared: Prepared,
    pub(crate) datasource: String,
    /// Where others look for what is done.
    pub(crate) marks: Marks,
    /// Every module that runs, in its order.
    modules: Vec<Entry>,
}

/// What is to be known about an instance is wanted for this.
#[derive(Clone, Copy)]
enum For {
    /// To become it.
    Boot,
    /// To go on, from what the boot kept.
    LaterStage,
    /// To be looked at.
    Show,
}

impl Session {
    /// Opens the machine to change it; lays a seed's image into an empty root first.
    pub(crate) fn open(target: &Target) -> anyhow::Result<Self> {
        if let Some(image) = target.image()
            && image_tree::is_vacant(&target.root)
        {
            let root = target.root.display();
            image_tree::copy(&image, &target.root)
                .with_context(|| format!("cannot copy {} to {root}", image.display()))?;
        }
        Self::at(&target.root, target)
    }

    /// Opens the machine to look at it: an image that is not laid yet is looked at where it is.
    pub(crate) fn look(target: &Target) -> anyhow::Result<Self> {
        match target.image() {
            Some(image) if image_tree::is_vacant(&target.root) => Self::at(&image, target),
            _ => Self::at(&target.root, target),
        }
    }

    fn at(root: &Path, target: &Target) -> anyhow::Result<Self> {
        let opened = Host::new(root);
        let mut host = opened.with_context(|| format!("cannot open {}", root.display()))?;
        let image = engine::image::load(&host);
        let catalogue = Catalogue::of(&host);
        let role = datasources::ec2::role_source(&SourceContext {
            probe: &host,
            config: &image.config,
        });
        let s3 = S3::new(role);
        host.fetch_with(s3.clone());
        let mut session = Self {
            host,
            settings: Settings::default(),
            image: Image::default(),
            catalogue,
            problems: Vec::new(),
            s3,
            begun: now(),
            seed: target.seed.clone(),
        };
        session.take(image);
        Ok(session)
    }

    /// From now on the image says this.
    fn take(&mut self, image: Image) {
        let (settings, problems) = Settings::of(&image.config);
        self.host.limit_code(settings.script_timeout());
        self.host.give_home(settings.gives_home());
        self.host.wait_for_packages(settings.package_lock_timeout());
        self.host.ask_for_keys_at(settings.key_servers.clone());
        let log = settings.cloud_init_compat.then_some(OUTPUT_LOG);
        self.host.log_output_in(log.map(Path::new));
        self.settings = settings;
        self.problems = problems;
        self.problems.extend(image.problems.iter().cloned());
        self.problems
            .extend(self.catalogue.problems.iter().cloned());
        self.image = image;
    }

    /// Reads the image's configuration anew, if it has templates: they name what is known of the
    /// instance.
    fn learn(&mut self, metadata: &InstanceMetadata) {
        if self.image.has_templates {
            let image = engine::image::load_for(&self.host, metadata);
            self.take(image);
        }
    }

    /// Fetches the configuration that the kernel command line names, if it names some, and reads the
    /// image's anew. What is wrong with it is one of the session's problems.
    pub(crate) fn learn_from_kernel(&mut self, metadata: &InstanceMetadata) {
        let fetcher = Fetcher::new(&self.host, self.s3.clone(), metadata);
        let fetched = match engine::kernel::fetch(&self.host, &fetcher) {
            Ok(None) => return self.learn(metadata),
            Ok(Some(file)) => self.host.apply(&file).map(drop).map_err(|error| {
                let why = contract::error::chain(&error);
                Problem::warning(
                    None,
                    format!("the kernel command line's configuration: {why}"),
                )
            }),
            Err(problem) => Err(problem),
        };
        self.take(engine::image::load_for(&self.host, metadata));
        self.problems.extend(fetched.err());
    }

    /// What names the data source of this machine, if something does.
    pub(crate) fn named_source(&self) -> Option<String> {
        let ctx = self.source_context();
        let seed = self.seed.as_ref().map(|dir| dir.display().to_string());
        seed.or_else(|| datasources::named(&ctx, datasources::table()))
    }

    /// Asks the seed, or the cloud, who this machine is.
    pub(crate) fn ask(&self) -> anyhow::Result<(String, Found)> {
        let ctx = self.source_context();
        if let Some(dir) = &self.seed {
            let seed = Seed::new(dir.clone());
            let found = seed
                .fetch(&ctx)
                .with_context(|| format!("seed {}", dir.display()))?;
            return Ok((seed.name().to_owned(), found));
        }
        let choice = datasources::choose(&ctx, datasources::table());
        let Some(source) = choice.source else {
            bail!(
                "no data source is responsible for this machine: {}",
                choice.evidence.join("; ")
            );
        };
        let found = source
            .fetch(&ctx)
            .with_context(|| format!("data source {}", source.name()))?;
        Ok((source.name().to_owned(), found))
    }

    /// Makes configuration, parameters and scripts of what the source gave, and fetches what user
    /// data includes. Nothing of it is run.
    pub(crate) fn understand(&mut self, datasource: String, found: Found) -> (Known, Found) {
        self.learn(&found.metadata);
        self.make_and_check(datasource, found, For::Show)
    }

    /// The same for a boot, which has learnt from the kernel before and also asks part handlers what
    /// they take.
    pub(crate) fn take_in(&self, datasource: String, found: Found) -> (Known, Found) {
        self.make_and_check(datasource, found, For::Boot)
    }

    fn make_and_check(&self, datasource: String, found: Found, purpose: For) -> (Known, Found) {
        let (mut known, found) = self.make(datasource, found, purpose);
        self.check(&mut known);
        (known, found)
    }

    /// Looks for what is odd about the configuration and the user data, for whoever tells of it.
    pub(crate) fn check(&self, known: &mut Known) {
        let prepared = &mut known.prepared;
        let told = self.problems.iter().chain(&prepared.problems);
        let told: Vec<Problem> = told.cloned().collect();
        let odd = checks::of_boot(&self.catalogue, prepared, &told);
        prepared.problems.extend(odd);
    }

    fn make(&self, datasource: String, found: Found, purpose: For) -> (Known, Found) {
        let fetcher = Fetcher::new(&self.host, self.s3.clone(), &found.metadata);
        let around = Surroundings {
            reach: match purpose {
                For::Boot | For::Show => Reach::Addresses(&fetcher),
                For::LaterStage => Reach::Kept,
            },
            examine: match purpose {
                For::Boot => Some(&self.host),
                For::Show | For::LaterStage => None,
            },
            probe: Some(&self.host),
            dir: Store::dir_of(&found.metadata.instance_id).join("includes"),
        };
        let mut prepared = engine::prepare_with(
            &around,
            &self.image,
            &self.settings,
            &found.metadata,
            &found.user_data,
            &found.vendor_data,
        );
        let (modules, odd) = self.catalogue.wanted_on(&self.host, &prepared.config);
        prepared.problems.extend(odd);
        let marks = match self.settings.cloud_init_compat {
            true => Marks::of(&found.metadata.instance_id, &modules, modules::semaphore),
            false => Marks::default(),
        };
        let known = Known {
            metadata: found.metadata.clone(),
            prepared,
            datasource,
            marks,
            modules,
        };
        (known, found)
    }

    /// What a data source is asked with.
    pub(crate) const fn source_context(&self) -> SourceContext<'_> {
        SourceContext {
            probe: &self.host,
            config: &self.image.config,
        }
    }

    /// What an earlier run stored about the current instance. It has told what is odd about it, so that
    /// it is not looked for again: see [`Self::check`].
    pub(crate) fn recall(&mut self) -> anyhow::Result<Option<Known>> {
        let Some(id) = Store::current(&self.host) else {
            return Ok(None);
        };
        let Some((metadata, user_data, vendor_data)) = Store::load_instance(&self.host, &id)?
        else {
            return Ok(None);
        };
        let datasource = metadata.platform.clone();
        let found = Found {
            metadata,
            user_data,
            vendor_data,
            warnings: Vec::new(),
            errors: Vec::new(),
        };
        self.learn(&found.metadata);
        Ok(Some(self.make(datasource, found, For::LaterStage).0))
    }

    /// Like [`Self::recall`], when there must be something.
    pub(crate) fn recall_or_fail(&mut self) -> anyhow::Result<Known> {
        self.recall()?.context(
            "nothing is stored about this instance yet: run `firstlight boot` or `firstlight apply` first",
        )
    }

    /// Makes the directory of the instance's state and keeps what its source gave.
    pub(crate) fn store(&self, known: &Known, found: &Found) -> anyhow::Result<Store> {
        let id = &found.metadata.instance_id;
        if let Some(earlier) = Store::current(&self.host).filter(|earlier| earlier != id)
            && let Err(error) = Semaphores::compact(&self.host, &Store::dir_of(&earlier))
        {
            // It costs room, and nothing else.
            tracing::warn!("{:#}", anyhow::Error::from(error));
        }
        let key = system::random32().context("cannot read random bytes")?;
        let store = Store::open(&self.host, &found.metadata.instance_id, key)?;
        store.save_instance(
            &self.host,
            &found.metadata,
            &found.user_data,
            &found.vendor_data,
        )?;
        for effect in known.prepared.kept() {
            self.host.apply(&effect)?;
        }
        Ok(store)
    }

    /// A new report, with the problems found so far.
    pub(crate) fn report(&self, known: &Known, odd: &[Problem]) -> Report {
        let mut report = Report::new();
        report.instance_id = Some(known.metadata.instance_id.to_string());
        report.datasource = Some(known.datasource.clone());
        report.boot_id = system::boot_id(&self.host);
        let all = self
            .problems
            .iter()
            .chain(&known.prepared.problems)
            .chain(odd);
        report.problems = all.map(ProblemReport::from).collect();
        report
    }

    /// The kernel's boot id. Below a root that no kernel has booted, each run is a boot.
    fn boot_id(&self) -> String {
        let run = || format!("run-{}-{:.0}", std::process::id(), self.begun);
        system::boot_id(&self.host).unwrap_or_else(run)
    }

    /// Waits for whoever works on this machine, then keeps others from it.
    pub(crate) fn lock(&self) -> anyhow::Result<RunLock> {
        let take = |wait| RunLock::acquire(&self.host, wait).context("cannot take the run lock");
        if let Some(lock) = take(false)? {
            return Ok(lock);
        }
        // Whoever holds it may be waiting for this process.
        if system::is_run_by_firstlight() {
            bail!(
                "the boot that runs this is not over, and each would wait for the other: run it afterwards, \
                 with `systemd-run --property=After=firstlight-final.service --no-block`"
            );
        }
        take(true)?.context("the run lock is held by another firstlight")
    }

    /// Keeps others from this machine, if nobody works on it: a script of the boot's, which waited for
    /// the boot, would wait for ever.
    pub(crate) fn try_lock(&self) -> anyhow::Result<Option<RunLock>> {
        RunLock::acquire(&self.host, false).context("cannot take the run lock")
    }

    /// The semaphores of an instance, with what others have done about them; nothing is changed.
    pub(crate) fn semaphores(&self, known: &Known) -> anyhow::Result<Semaphores> {
        Ok(self.load_semaphores(known, true)?.0)
    }

    /// The same for who goes on to change them: what others have done is recorded, and to be told.
    pub(crate) fn reconciled(&self, known: &Known) -> anyhow::Result<(Semaphores, Vec<Problem>)> {
        self.load_semaphores(known, false)
    }

    fn load_semaphores(
        &self,
        known: &Known,
        dry: bool,
    ) -> anyhow::Result<(Semaphores, Vec<Problem>)> {
        let dir = Store::dir_of(&known.metadata.instance_id);
        let mut semaphores = Semaphores::load(&self.host, &dir)?;
        let told = cloud_init::reconcile(&self.host, &mut semaphores, &known.marks, dry);
        Ok((semaphores, told))
    }
}

impl Known {
    /// Lets modules run that the configuration's lists leave out: somebody asks for them by name.
    pub(crate) fn include(&mut self, session: &Session, names: &[String]) {
        let left_out = session.catalogue.left_out(&self.modules).into_iter();
        let asked = left_out.filter(|entry| names.iter().any(|name| name == entry.facts.name));
        self.modules.extend(asked.collect::<Vec<_>>());
    }

    /// Lets a module run as often as this.
    pub(crate) fn repeat(&mut self, name: &str, frequency: Frequency) {
        let own = self.modules.iter_mut();
        let own = own.filter(|entry| entry.facts.name == name);
        own.for_each(|entry| entry.frequency = frequency);
    }
}

/// The modules that this machine's configuration lets run, in their order, and those that it leaves
/// out: of what the boot stored about the instance, or else of the image alone.
pub(crate) fn modules_of(target: &Target) -> anyhow::Result<(Vec<Entry>, Vec<Entry>)> {
    let mut session = Session::look(target)?;
    let stored = session.recall().ok().flatten();
    let wanted = match stored {
        Some(known) => known.modules,
        None => {
            let config = &session.image.config;
            session.catalogue.wanted_on(&session.host, config).0
        }
    };
    let left_out = session.catalogue.left_out(&wanted);
    Ok((wanted, left_out))
}

/// How modules are run: for real or dry, again or only what is due.
pub(crate) struct Mode<'a> {
    pub(crate) dry: bool,
    pub(crate) force: bool,
    /// Called when the modules of a stage are over, before the disk is waited for.
    pub(crate) over: &'a mut dyn FnMut(),
    pub(crate) observer: &'a mut dyn FnMut(Stage, &ModuleReport),
}

/// A machine whose image can be asked what it wants.
pub(crate) trait Hands: Machine + Ask {}

impl<T: Machine + Ask> Hands for T {}

/// Runs the modules of one stage that `wanted` lets through.
pub(crate) fn run_stage(
    session: &Session,
    known: &Known,
    semaphores: &mut Semaphores,
    machine: &dyn Hands,
    stage: Stage,
    wanted: &dyn Fn(&Entry) -> bool,
    mode: &mut Mode<'_>,
) -> StageReport {
    let dir = Store::dir_of(&known.metadata.instance_id);
    let context = Context {
        instance: &known.metadata,
        config: &known.prepared.config,
        params: &known.prepared.params,
        scripts: &known.prepared.scripts,
        handlers: &known.prepared.handlers,
        instance_dir: &dir,
        scripts_dir: &cloud_init::scripts_dir(session.settings.cloud_init_compat, &known.metadata),
        probe: machine,
        ask: machine,
        render: engine::render,
    };
    // What is done at every boot is done anew for another instance, too: below a root that was
    // never booted one instance may follow another within one boot.
    let boot_id = session.boot_id();
    let boot_id = format!("{boot_id}/{}", known.metadata.instance_id);
    // What is wrong with it is one of the problems of the user data.
    let (output, _) = engine::output::of(&known.prepared.config, stage);
    let compat = session.settings.cloud_init_compat;
    session.host.redirect(cloud_init::output(compat, output));
    let entries = known.modules.iter().copied().filter(wanted);
    let entries: Vec<Entry> = entries.collect();
    let observer = &mut *mode.observer;
    let mut runner = Runner {
        machine,
        context: &context,
        semaphores,
        force: mode.force,
        dry: mode.dry,
        boot_id: &boot_id,
        marks: &known.marks,
        on_interrupt_rerun: session.settings.reruns_interrupted(),
        on_change: session.settings.on_change(),
        over: &mut *mode.over,
        observer: &mut |module| observer(stage, module),
    };
    runner.stage(stage, &entries)
}

/// A dry run over the session's machine.
pub(crate) fn dry_run(session: &Session) -> DryRun<'_> {
    DryRun::new(&session.host)
}

/// Writes the report where `status` finds it; a machine that cannot is told of, not stopped.
pub(crate) fn publish(session: &Session, report: &Report) {
    if let Err(error) = report_file::write(&session.host, report) {
        tracing::error!(
            "cannot write the status: {}",
            contract::error::chain(&error)
        );
    }
    if session.settings.cloud_init_compat {
        cloud_init::publish(&session.host, report);
    }
}

/// Unix time in seconds.
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

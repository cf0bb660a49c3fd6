//! Installers that are fetched: scripts that a maker offers at an address.

use contract::effect::{Effect, Keeper, Mode, Program, Source, WriteSpec};
use contract::module::Context;
use contract::plan::Step;
use contract::secret::Secret;

use crate::script;

/// An installer that is fetched, run once for an instance, and removed.
pub(crate) struct Installer<'a> {
    /// What plans and errors call it, and the name of its file: `puppet-install`.
    pub(crate) name: &'a str,
    /// `https://`, `http://`, `s3://` or `file://`.
    pub(crate) url: String,
    pub(crate) arguments: Vec<String>,
}

impl Installer<'_> {
    /// Where only root may look, and where scripts of the user data are run, too.
    pub(crate) fn step(self, ctx: &Context<'_>) -> Step {
        let path = ctx.instance_dir.join(self.name);
        let source = Source {
            url: Secret::new(self.url),
            headers: Vec::new(),
            region: ctx.instance.region.clone(),
            domain: ctx.instance.service_domain.clone(),
        };
        let file = WriteSpec {
            path: path.clone(),
            content: None,
            source: Some(source),
            append: None,
            mode: Mode::PRIVATE_EXEC,
            owner: Keeper::default(),
            hint: "",
        };
        let mut argv = vec![path.display().to_string()];
        argv.extend(self.arguments);
        let run = script::command(self.name, Program::Argv(argv));
        let gone = Effect::Absent { at: path.into() };
        Step::new(
            "install",
            [Effect::Write(Box::new(file)), Effect::Run(run), gone],
        )
    }
}

//! What the machine's files hold.

use std::path::Path;

use contract::machine::Probe;
use contract::module::Context;
use contract::plan::Problem;
use contract::template::Variables;

/// Whether something is there, links not followed. What cannot be seen is not.
pub(crate) fn exists(probe: &dyn Probe, path: impl AsRef<Path>) -> bool {
    matches!(probe.kind(path.as_ref()), Ok(Some(_)))
}

/// A file's text; `None` if there is none that can be read.
pub(crate) fn text(probe: &dyn Probe, path: impl AsRef<Path>) -> Option<String> {
    let bytes = probe.read(path.as_ref()).ok().flatten()?;
    let text = String::from_utf8(bytes);
    Some(text.unwrap_or_else(|odd| String::from_utf8_lossy(odd.as_bytes()).into_owned()))
}

/// What a template of the image comes to; `None` if there is none.
pub(crate) fn rendered(
    template: &str,
    variables: impl FnOnce() -> Variables,
    ctx: &Context<'_>,
) -> Option<Result<String, Problem>> {
    let rendered = (ctx.render)(&text(ctx.probe, template)?, &variables());
    Some(rendered.map_err(|error| Problem::error(None, format!("{template}: {error}"))))
}

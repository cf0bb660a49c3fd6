//! What the machine's files hold.

use std::path::Path;

use contract::machine::Probe;
use contract::module::Context;
use contract::plan::Problem;
use contract::template::Variables;

/// Where an image has cloud-init's templates.
pub(crate) const TEMPLATES: &str = "/etc/cloud/templates";

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

/// What one of cloud-init's templates, `resolv.conf`, comes to; `None` if the image has none.
pub(crate) fn rendered(
    name: &str,
    variables: impl FnOnce() -> Variables,
    ctx: &Context<'_>,
) -> Option<Result<String, Problem>> {
    let path = format!("{TEMPLATES}/{name}.tmpl");
    let rendered = (ctx.render)(&text(ctx.probe, &path)?, &variables());
    Some(rendered.map_err(|error| Problem::error(None, format!("{path}: {error}"))))
}

//! How configurations become one. Source: cloud-init, `cloudinit/mergers`.

mod how;
mod mergers;

#[cfg(test)]
mod tests;

use how::How;

use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{Kind, Mapping};

/// Why a configuration cannot be merged into the earlier ones; it is left out whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MergeError {
    /// Where what is wrong with it stands.
    pub(crate) place: Place,
    /// What is wrong; names keys and mergers, never values.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) hint: Option<&'static str>,
}

impl MergeError {
    /// As a warning that what was called `what` is ignored.
    pub(crate) fn warning(self, what: &str) -> Problem {
        let message = format!("{what} ignored: {}", self.message);
        let problem = Problem::warning(Some(self.place), message);
        match self.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// Lays `lower` below `base`, which comes from sources that win over it: what `base` says stays,
/// mappings are joined key by key, lists are not. A `merge_how` in `lower` says otherwise, and what
/// is odd in that comes back. Source: cloud-init, `cloudinit/util.py`, `mergemanydict`.
///
/// # Errors
/// When `lower` cannot be merged; `base` is as it was then.
pub(crate) fn below(base: &mut Mapping, mut lower: Mapping) -> Result<Vec<Problem>, MergeError> {
    let said = How::take(&mut lower, None, "")?;
    let mut odd = match &said {
        Some(_) => Vec::new(),
        None => given_way(base, &lower),
    };
    let how = said.unwrap_or_else(How::of_sources);
    merge(&how, base, lower)?;
    odd.extend(how.odd);
    Ok(odd)
}

/// The keys of a higher source whose value gives way to a lower one's, which nobody expects.
fn given_way(higher: &Mapping, lower: &Mapping) -> Vec<Problem> {
    let mappings = lower.iter().filter(|(_, below)| below.as_map().is_some());
    let pairs = mappings.filter_map(|(key, below)| {
        let name = key.as_str()?;
        let above = higher.get(name)?;
        let gives_way = matches!(above.kind, Kind::List(_) | Kind::String(_));
        gives_way.then_some((name, above, below))
    });
    let told = pairs.map(|(name, above, below)| {
        let found = above.kind.name();
        let message = format!(
            "`{name}`: {found} gives way to the mapping at {}, as with cloud-init",
            below.place
        );
        Problem::notice(Some(above.place.clone()), message).hint("write a mapping here too")
    });
    told.collect()
}

/// The parts of one user data may weigh so much together (see [`contract::yaml::Value::weight`]).
const MAX_VALUES: usize = 250_000;

/// So much may be read altogether, the values of parts among them that later ones replace.
const MAX_READ: usize = 500_000;

/// The parts of one user data so far, as one configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    /// What they say together.
    pub(crate) config: Mapping,
    count: usize,
    /// What was read for it, as weights.
    read: usize,
    /// The first part, if it says how it is merged, which has no effect.
    in_vain: Option<Place>,
}

impl Parts {
    /// Why no further document is read, if none is.
    pub(crate) fn is_full(&self) -> Option<String> {
        let why = || format!("the parts before it hold more than MAX_READ ({MAX_READ}) values");
        (self.read > MAX_READ).then(why)
    }

    /// Notes that a document of this weight was read, whatever becomes of it.
    pub(crate) fn note(&mut self, weight: usize) {
        self.read = self.read.saturating_add(weight);
    }

    /// Merges a part called `name` into the earlier ones: as it says itself in `merge_how`, as its
    /// header says, or else by taking each of its top-level keys whole. Gives back what is odd in
    /// how it says it. Source: cloud-init, `cloudinit/handlers/cloud_config.py`.
    ///
    /// # Errors
    /// When the part cannot be merged; nothing of it counts then.
    pub(crate) fn add(
        &mut self,
        mut part: Mapping,
        header: Option<&str>,
        name: &str,
    ) -> Result<Vec<Problem>, MergeError> {
        let said = How::take(&mut part, header, name)?;
        let says = said.is_some();
        let how = said.unwrap_or_else(How::of_parts);
        let weight = self.config.weight().saturating_add(part.weight());
        if weight > MAX_VALUES {
            return Err(MergeError {
                place: Place::whole(name),
                message: format!(
                    "the parts together hold more than MAX_VALUES ({MAX_VALUES}) values"
                ),
                hint: None,
            });
        }
        merge(&how, &mut self.config, part)?;
        let mut odd = how.odd;
        if self.count == 0 {
            self.in_vain = says.then(|| Place::whole(name));
        } else if let Some(first) = self.in_vain.take_if(|_| !says) {
            let message = "how the first part is merged has no effect: there is nothing before it";
            let hint = format!("say it in each later part, such as `{name}`");
            odd.push(Problem::notice(Some(first), message).hint(hint));
        }
        self.count += 1;
        Ok(odd)
    }
}

fn merge(how: &How, earlier: &mut Mapping, later: Mapping) -> Result<(), MergeError> {
    let kept = how.may_fail().then(|| earlier.clone());
    match (how.merge(std::mem::take(earlier), later), kept) {
        (Ok(merged), _) => *earlier = merged,
        (Err(error), kept) => {
            *earlier = kept.unwrap_or_default();
            return Err(error);
        }
    }
    Ok(())
}

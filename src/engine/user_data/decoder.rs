//! Decoding, a step at a time: it says which address it needs next, and goes on with what is there.

use std::collections::BTreeSet;

use contract::instance::LaunchIndex;
use contract::place::Place;
use contract::plan::Problem;
use contract::secret::Secret;
use contract::user_data::{Part, PartKind};

use super::decode::{self, DecodeError};
use super::detect::{self, NOT_MULTIPART, Type};
use super::include::{self, Include};
use super::{Leaf, archive, mime, name};
use crate::settings::Parameters;

/// Longer raw user data is refused; EC2 takes 16 KiB.
const MAX_RAW: usize = 64 << 10;
/// All parts together, decoded and unpacked.
pub(super) const MAX_DECODED: usize = 16 << 20;
/// Parts of one user data, with what it includes.
const MAX_PARTS: usize = 256;
/// Addresses of one user data, with what they name in turn.
const MAX_INCLUDES: usize = 64;
/// How many includes may stand in each other.
const MAX_INCLUDE_DEPTH: usize = 8;

/// What became of some user data.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decoded {
    /// Whosever they are, in order.
    pub(crate) parts: Vec<Part>,
    /// The numbers of those that an include gave.
    pub(crate) included: BTreeSet<usize>,
    /// Names places and types, never content.
    pub(crate) problems: Vec<Problem>,
}

/// What decoding needs to go on.
#[derive(Debug)]
pub(super) enum Next {
    /// What this address holds, at most so many bytes: see [`Decoder::supply`],
    /// [`Decoder::leave_out`] and [`Decoder::fail`].
    Fetch(Include, usize),
    /// Nothing.
    Done(Decoded),
}

/// What is still to do, the next thing last.
enum Job {
    /// User data as it was, or as an include gave it.
    Bytes(Vec<u8>, Origin),
    Leaf(Leaf, Origin),
    Fetch(Include, Origin),
}

/// Where something came from.
#[derive(Clone)]
struct Origin {
    source: String,
    /// How many includes it stands in.
    depth: usize,
}

/// Some user data on its way to parts.
pub(super) struct Decoder<'a> {
    parameters: &'a Parameters,
    jobs: Vec<Job>,
    waits: Option<(Include, Origin)>,
    out: Decoded,
    vendor: bool,
    size: usize,
    includes: usize,
}

impl<'a> Decoder<'a> {
    /// `source` is what the whole is called in problems.
    pub(super) fn new(raw: &[u8], source: &str, vendor: bool, parameters: &'a Parameters) -> Self {
        let mut decoder = Self {
            parameters,
            jobs: Vec::new(),
            waits: None,
            out: Decoded::default(),
            vendor,
            size: 0,
            includes: 0,
        };
        if raw.len() > MAX_RAW {
            let place = Some(Place::whole(source));
            let message = "ignored: larger than MAX_RAW (64 KiB)";
            let problem = Problem::error(place, message);
            let hint = "keep it in a bucket, and `#include` it";
            decoder.out.problems.push(problem.hint(hint));
        } else {
            let from = Origin {
                source: source.to_owned(),
                depth: 0,
            };
            decoder.jobs.push(Job::Bytes(decode::base64(raw), from));
        }
        decoder
    }

    /// Goes on as far as it can.
    pub(super) fn next(&mut self) -> Next {
        while let Some(job) = self.jobs.pop() {
            match job {
                Job::Bytes(bytes, from) => self.unpack(bytes, &from),
                Job::Leaf(leaf, from) => self.leaf(leaf, &from),
                Job::Fetch(include, from) => {
                    self.includes += 1;
                    if self.includes > MAX_INCLUDES {
                        self.refuse(
                            include.place,
                            format!("more than MAX_INCLUDES ({MAX_INCLUDES}) addresses"),
                        );
                        continue;
                    }
                    self.waits = Some((include.clone(), from));
                    return Next::Fetch(include, self.left());
                }
            }
        }
        Next::Done(std::mem::take(&mut self.out))
    }

    /// What the address holds that [`Self::next`] asked for.
    pub(super) fn supply(&mut self, body: &Secret<Vec<u8>>) {
        if let Some((include, from)) = self.waits.take() {
            let from = Origin {
                source: contract::fetch::shown(&include.url),
                depth: from.depth + 1,
            };
            self.jobs.push(Job::Bytes(body.expose().clone(), from));
        }
    }

    /// That address gave nothing: no part counts then, as with cloud-init.
    pub(super) fn fail(&mut self, why: String) {
        if let Some((include, _)) = self.waits.take() {
            self.refuse(include.place, why);
        }
    }

    /// What that address holds does not matter to whoever looks.
    pub(super) fn leave_out(&mut self) {
        if let Some((include, _)) = self.waits.take() {
            let url = contract::fetch::shown(&include.url);
            let message =
                format!("{url} is not fetched here, so nothing is known of what it holds");
            self.out
                .problems
                .push(Problem::notice(Some(include.place), message));
        }
    }

    fn refuse(&mut self, place: Place, why: String) {
        let message = format!("no part of the user data is used: {why}");
        let hint = "a machine set up by half would be worse; mend the address, or remove it";
        let problem = Problem::error(Some(place), message).hint(hint);
        self.out.problems.push(problem);
        self.out.parts.clear();
        self.out.included.clear();
        self.jobs.clear();
    }

    fn left(&self) -> usize {
        MAX_DECODED.saturating_sub(self.size)
    }

    fn unpack(&mut self, bytes: Vec<u8>, from: &Origin) {
        let bytes = match decode::maybe_gunzip(bytes, self.left()) {
            Ok(bytes) => bytes,
            Err(error) => {
                let place = Some(Place::whole(from.source.as_str()));
                let problem = Problem::error(place, format!("ignored: {error}"));
                self.out.problems.push(problem);
                return;
            }
        };
        if bytes.is_empty() {
            return;
        }
        let leaves = if mime::is_message(&bytes) {
            // One more than counts, so that it is noticed.
            let most = (MAX_PARTS + 1).saturating_sub(self.out.parts.len());
            let (leaves, problems) = mime::leaves(&bytes, &from.source, most);
            self.out.problems.extend(problems);
            leaves
        } else {
            vec![Leaf {
                declared: Some(NOT_MULTIPART.to_owned()),
                filename: None,
                launch_index: None,
                merge_type: None,
                first_line: 1,
                body: bytes,
            }]
        };
        let jobs = leaves.into_iter().rev();
        self.jobs
            .extend(jobs.map(|leaf| Job::Leaf(leaf, from.clone())));
    }

    fn leaf(&mut self, mut leaf: Leaf, from: &Origin) {
        if leaf.declared.as_deref().is_some_and(decode::is_gzip_type) {
            match decode::gunzip(&leaf.body, self.left()) {
                // Only its name and its launch index are kept, as with cloud-init.
                Ok(body) => {
                    leaf = Leaf {
                        declared: None,
                        merge_type: None,
                        first_line: 1,
                        body,
                        ..leaf
                    }
                }
                Err(error) => return self.broken(&leaf, from, error),
            }
        }
        let declared = leaf.declared.as_deref().unwrap_or("text/plain");
        match detect::of(declared, &leaf.body, self.parameters) {
            Type::Part(kind) => {
                self.attach(leaf, kind, from);
            }
            Type::Archive => {
                let (items, problems) = archive::items(&leaf, &from.source);
                self.out.problems.extend(problems);
                let mut items = items.into_iter();
                while items
                    .next()
                    .is_some_and(|(leaf, kind)| self.attach(leaf, kind, from))
                {}
            }
            Type::Include => self.include(&leaf, from),
        }
    }

    fn include(&mut self, leaf: &Leaf, from: &Origin) {
        if leaf.launch_index.is_some() {
            let place = Place::new(from.source.as_str(), leaf.first_line, 1);
            let message = "the launch index of an `#include` has no effect";
            let problem = Problem::warning(Some(place), message);
            let hint = "give one to each part of what it includes";
            self.out.problems.push(problem.hint(hint));
        }
        let addresses = include::addresses(leaf, &from.source);
        if let Some(first) = addresses.first()
            && from.depth >= MAX_INCLUDE_DEPTH
        {
            let why = format!("includes deeper than MAX_INCLUDE_DEPTH ({MAX_INCLUDE_DEPTH})");
            return self.refuse(first.place.clone(), why);
        }
        let jobs = addresses.into_iter().rev();
        self.jobs
            .extend(jobs.map(|include| Job::Fetch(include, from.clone())));
    }

    /// Numbers a part, and names it; whether there is room for it. Source: cloud-init,
    /// `cloudinit/user_data.py`, `_attach_part`.
    fn attach(&mut self, leaf: Leaf, kind: PartKind, from: &Origin) -> bool {
        let number = self.out.parts.len() + 1;
        let own = leaf.filename.as_deref().and_then(name::safe);
        let name = own.unwrap_or_else(|| name::numbered(number));
        let whole = || Some(Place::whole(name.as_str()));
        let size = self.size.saturating_add(leaf.body.len());
        if number > MAX_PARTS || size > MAX_DECODED {
            let message = if number > MAX_PARTS {
                format!("parts beyond MAX_PARTS ({MAX_PARTS}) are ignored")
            } else {
                "this part and those behind it are ignored: more than MAX_DECODED (16 MiB)".into()
            };
            self.out.problems.push(Problem::error(whole(), message));
            self.jobs.clear();
            return false;
        }
        self.size = size;
        let index = leaf.launch_index.as_deref().map(|text| {
            let number = super::int(text)?;
            u32::try_from(number).ok().map(LaunchIndex)
        });
        let for_nobody = matches!(index, Some(None));
        if for_nobody {
            let message = "its launch index is no number from 0: no instance takes the part";
            self.out.problems.push(Problem::warning(whole(), message));
        }
        if from.depth > 0 {
            self.out.included.insert(number);
        }
        self.out.parts.push(Part {
            name,
            number,
            kind,
            launch_index: index.flatten(),
            for_nobody,
            vendor: self.vendor,
            merge_type: leaf.merge_type,
            first_line: leaf.first_line,
            body: Secret::new(leaf.body),
        });
        true
    }

    /// A part that cannot be unpacked, where cloud-init would use no part at all.
    fn broken(&mut self, leaf: &Leaf, from: &Origin, error: DecodeError) {
        let own = leaf.filename.as_deref().and_then(name::safe);
        let place = match own {
            Some(name) => Place::whole(name),
            None => Place::new(from.source.as_str(), leaf.first_line, 1),
        };
        let message = format!("part ignored: {error}");
        self.out
            .problems
            .push(Problem::warning(Some(place), message));
    }
}

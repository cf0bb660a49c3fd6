//! A disk as it will look when its partitions are as they shall be.

use contract::machine::Probe;

use crate::disk::signature::{self, Signature};
use crate::disk::{self, Unclear, part_name};

/// A disk or a partition that a file system may be put on.
pub(super) struct View<'a> {
    probe: &'a dyn Probe,
    name: String,
    is_part: bool,
    /// How many fresh partitions there will be; `None` where all stays as it is.
    fresh: Option<usize>,
    /// What will be on disks and partitions, by their names.
    made: &'a [(String, Signature)],
}

/// One place for a file system.
pub(super) struct Node<'a> {
    pub(super) probe: &'a dyn Probe,
    /// `xvdb1`.
    pub(super) name: String,
    /// Whether it is a partition, or else a whole disk.
    pub(super) is_part: bool,
    /// Whether it is a disk with partitions.
    pub(super) has_parts: bool,
    /// What is on it.
    pub(super) holds: Option<Signature>,
    /// Who uses it, in words.
    pub(super) user: Option<String>,
}

impl<'a> View<'a> {
    /// The block device of this name. `fresh`: how many partitions it is about to get; `made`: what
    /// file systems entries before this one make.
    pub(super) fn new(
        probe: &'a dyn Probe,
        name: &str,
        fresh: Option<usize>,
        made: &'a [(String, Signature)],
    ) -> Self {
        let device = disk::device(probe, name);
        Self {
            probe,
            name: name.to_owned(),
            is_part: device.is_some_and(|device| device.part.is_some()),
            fresh,
            made,
        }
    }

    fn made(&self, name: &str) -> Option<Signature> {
        let made = self.made.iter().rev().find(|(own, _)| own == name);
        made.map(|(_, holds)| holds.clone())
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn part_name(&self, number: usize) -> String {
        part_name(&self.name, number)
    }

    /// The device itself.
    ///
    /// # Errors
    /// When it is not known what it holds, as with the others.
    pub(super) fn whole(&self) -> Result<Node<'a>, Unclear> {
        let count = self.fresh.unwrap_or_else(|| self.parts().len());
        match self.fresh {
            Some(_) => Ok(self.blank(self.name.clone(), false, count > 0)),
            None => self.there(&self.name, self.is_part, count > 0),
        }
    }

    /// The partition of this number, if there will be one.
    pub(super) fn part(&self, number: usize) -> Result<Option<Node<'a>>, Unclear> {
        let name = self.part_name(number);
        match self.fresh {
            Some(count) => Ok((number <= count).then(|| self.blank(name, true, false))),
            None => {
                let there = disk::device(self.probe, &name);
                there.map(|_| self.there(&name, true, false)).transpose()
            }
        }
    }

    /// The device, and then its partitions.
    pub(super) fn nodes(&self) -> Result<Vec<Node<'a>>, Unclear> {
        let mut nodes = vec![self.whole()?];
        match self.fresh {
            Some(count) => {
                let names = (1..=count).map(|number| self.part_name(number));
                nodes.extend(names.map(|name| self.blank(name, true, false)));
            }
            None => {
                for name in self.parts() {
                    nodes.push(self.there(&name, true, false)?);
                }
            }
        }
        Ok(nodes)
    }

    fn parts(&self) -> Vec<String> {
        let parts = disk::parts(self.probe, &self.name);
        parts.into_iter().map(|(_, name)| name).collect()
    }

    fn there(&self, name: &str, is_part: bool, has_parts: bool) -> Result<Node<'a>, Unclear> {
        let holds = match self.made(name) {
            Some(made) => Some(made),
            None => signature::on(self.probe, name)?,
        };
        Ok(Node {
            probe: self.probe,
            name: name.to_owned(),
            is_part,
            has_parts,
            holds,
            user: disk::user(self.probe, name),
        })
    }

    fn blank(&self, name: String, is_part: bool, has_parts: bool) -> Node<'a> {
        Node {
            probe: self.probe,
            holds: self.made(&name),
            name,
            is_part,
            has_parts,
            user: None,
        }
    }
}

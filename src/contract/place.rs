//! Where something was written: the file or part, the line and the column.

use std::fmt;
use std::sync::Arc;

/// A place in a text: the source's name, and the line and column there, both counted from 1.
///
/// A column counts characters, not bytes. The source is a file (`/etc/firstlight/config.yaml`) or
/// a part of the user data (`part-001`). Line 0 means the source as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Name of the file or part.
    pub source: Arc<str>,
    /// Line, from 1; 0 if the place is the source as a whole.
    pub line: u32,
    /// Column in characters, from 1; 0 if the place is the source as a whole.
    pub column: u32,
}

impl Place {
    /// The place at `line` and `column` of `source`, both from 1.
    pub fn new(source: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        Self {
            source: source.into(),
            line,
            column,
        }
    }

    /// The source as a whole, for what has no line of its own.
    pub fn whole(source: impl Into<Arc<str>>) -> Self {
        Self::new(source, 0, 0)
    }

    /// Whether this is the source as a whole rather than a line of it.
    pub fn is_whole(&self) -> bool {
        self.line == 0
    }
}

/// `source:line:column`, or the source alone if there is no line.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_whole() {
            f.write_str(&self.source)
        } else {
            write!(f, "{}:{}:{}", self.source, self.line, self.column)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_as_compilers_print_it() {
        assert_eq!(Place::new("part-001", 3, 7).to_string(), "part-001:3:7");
        assert_eq!(Place::whole("part-001").to_string(), "part-001");
    }
}

//! Where quotes, substitutions and here-documents of the shell begin and end.
//!
//! Source: POSIX.1-2024, Shell Command Language, 2.2 (quoting) and 2.3 (token recognition). It says no
//! where it is not sure.

use std::iter::Peekable;
use std::str::Chars;

/// So deep may substitutions stand in each other.
const DEPTH: usize = 32;

/// Whether a text leaves nothing open for the lines behind it: no quote, substitution,
/// here-document or line that goes on. Whether its commands are whole, the shell tells.
pub(crate) fn is_closed(text: &str) -> bool {
    let mut lexer = Lexer {
        rest: text.chars().peekable(),
        documents: Vec::new(),
        depth: 0,
    };
    lexer.code(None).is_some() && lexer.documents.is_empty()
}

/// A here-document that is to come behind this line.
struct Document {
    end: String,
    strips_tabs: bool,
    is_quoted: bool,
}

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    documents: Vec<Document>,
    depth: usize,
}

/// Each function reads to the end of what it is about; `None`: there is none, or nobody can be sure.
impl Lexer<'_> {
    /// Commands, up to `end` or else the end of the text.
    fn code(&mut self, end: Option<char>) -> Option<()> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        let mut word = String::new();
        loop {
            let Some(c) = self.rest.next() else {
                return end.is_none().then_some(());
            };
            if Some(c) == end {
                self.depth -= 1;
                return Some(());
            }
            let at_word = word.is_empty();
            match c {
                '\\' => {
                    self.rest.next()?;
                }
                '\'' => self.until('\'')?,
                '"' => self.double()?,
                '`' => self.backquotes()?,
                '$' => self.dollar()?,
                '(' => self.code(Some(')'))?,
                '<' if self.rest.peek() == Some(&'<') => self.document()?,
                '#' if at_word => self.comment(),
                '\n' => self.bodies()?,
                _ => {}
            }
            if c.is_ascii_alphanumeric() || "\\'\"`$_".contains(c) {
                word.push(c);
            } else if !c.is_whitespace() && !";&|()<>#".contains(c) {
                word.push('.');
            } else {
                word.clear();
            }
            // The patterns of a `case` have a `)` without `(`.
            if end.is_some() && word == "case" {
                return None;
            }
        }
    }

    fn until(&mut self, end: char) -> Option<()> {
        self.rest.by_ref().find(|c| *c == end).map(|_| ())
    }

    fn double(&mut self) -> Option<()> {
        loop {
            match self.rest.next()? {
                '\\' => {
                    self.rest.next()?;
                }
                '"' => return Some(()),
                '`' => self.backquotes()?,
                '$' => self.dollar()?,
                _ => {}
            }
        }
    }

    /// What stands in backquotes has its own quotes, with backslashes doubled: none of that.
    fn backquotes(&mut self) -> Option<()> {
        loop {
            match self.rest.next()? {
                '`' => return Some(()),
                '\\' | '\'' | '"' | '#' | '<' => return None,
                _ => {}
            }
        }
    }

    fn dollar(&mut self) -> Option<()> {
        match self.rest.peek() {
            Some('(') => {
                self.rest.next();
                self.code(Some(')'))
            }
            Some('{') => loop {
                match self.rest.next()? {
                    '}' => return Some(()),
                    '\\' | '\'' | '"' | '`' => return None,
                    '$' => self.dollar()?,
                    _ => {}
                }
            },
            // Quotes of bash alone.
            Some('\'' | '"') => None,
            _ => Some(()),
        }
    }

    fn comment(&mut self) {
        while self.rest.peek().is_some_and(|c| *c != '\n') {
            self.rest.next();
        }
    }

    /// `<<END`, behind its first `<`.
    fn document(&mut self) -> Option<()> {
        self.rest.next();
        let strips_tabs = self.rest.next_if_eq(&'-').is_some();
        while self.rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        let quote = self.rest.next_if(|c| matches!(c, '\'' | '"'));
        let mut end = String::new();
        let is_word = |c: &char| c.is_ascii_alphanumeric() || "_-.".contains(*c);
        while let Some(c) = self.rest.next_if(is_word) {
            end.push(c);
        }
        if let Some(quote) = quote {
            self.rest.next_if_eq(&quote)?;
        }
        let is_over = |c: &char| c.is_whitespace() || ";&|)<>".contains(*c);
        if end.is_empty() || !self.rest.peek().is_some_and(is_over) {
            return None;
        }
        self.documents.push(Document {
            end,
            strips_tabs,
            is_quoted: quote.is_some(),
        });
        Some(())
    }

    /// The here-documents that begin behind this line end.
    fn bodies(&mut self) -> Option<()> {
        for document in std::mem::take(&mut self.documents) {
            loop {
                let mut line = String::new();
                let mut is_ended = false;
                for c in self.rest.by_ref() {
                    if c == '\n' {
                        is_ended = true;
                        break;
                    }
                    line.push(c);
                }
                let bare = match document.strips_tabs {
                    true => line.trim_start_matches('\t'),
                    false => line.as_str(),
                };
                if bare == document.end {
                    break;
                }
                // A backslash joins it with the next line, if nothing is quoted.
                if !is_ended || (!document.is_quoted && line.ends_with('\\')) {
                    return None;
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_open_is_found() {
        #[rustfmt::skip]
        let table = [
            ("",                                         true),
            ("echo hi",                                  true),
            ("echo 'a b' \"c $d\" e\\ f # it's",         true),
            ("echo it's",                                false),
            ("echo \"a",                                 false),
            ("echo a#'b'",                               true),
            ("echo a#'b",                                false),
            ("echo \\",                                  false),
            ("echo a \\\n  b",                           true),
            ("echo $(date +%s) $((1 + (2))) ${x:-y}",    true),
            ("echo $(date",                              false),
            ("echo \"$(echo \"a\")\"",                   true),
            ("echo \"$(echo 'a)\")",                     false),
            ("x=$(case $y in a) echo \"b\";; esac)",     false),
            ("case $y in a) echo \"b\";; esac",          true),
            ("echo `date`",                              true),
            ("echo `echo 'x'`",                          false),
            ("echo ${x:-'a'}",                           false),
            ("echo $'a'",                                false),
            ("cat <<EOF\nit's\nEOF",                     true),
            ("cat <<EOF >x\nit's\nEOF\necho \"b\"",      true),
            ("cat <<-'E'\n\tit's \\\n\tE\n",             true),
            ("cat <<A <<B\na\nA\nb\nB",                  true),
            ("cat <<EOF\nit's",                          false),
            ("cat <<EOF",                                false),
            ("cat <<EOF\na\\\nEOF\n",                    false),
            ("cat <<$x\n$x\n",                           false),
            ("cat <<<word",                              false),
            ("(cd /; ls)",                               true),
            ("(cd /",                                    false),
            ("f() { echo '}'; }",                        true),
        ];
        for (text, closed) in table {
            assert_eq!(is_closed(text), closed, "{text:?}");
        }
    }
}

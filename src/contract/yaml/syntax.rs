//! What to say of a syntax error, and what to advise.

use granit_parser::ErrorKind;

use crate::place::Place;

use super::document::YamlError;

/// The error for what the parser stopped at.
pub(super) fn error(place: Place, kind: &ErrorKind) -> YamlError {
    let (message, hint) = match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => return tab(place),
        ErrorKind::UnclosedQuotedScalar => ("a quote is not closed", None),
        ErrorKind::UnclosedFlowCollection { .. } => ("a bracket is not closed", None),
        ErrorKind::MismatchedFlowCollectionEnd { .. } | ErrorKind::MisplacedFlowCollectionEnd => {
            ("a closing bracket has no opening one", None)
        }
        ErrorKind::UnknownAnchor => (
            "an alias names an anchor that was not given before",
            Some("put quotes around a value that begins with `*`"),
        ),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => (
            "a colon is not expected here",
            Some("put quotes around a value that holds `: `, and check the indentation"),
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
            "expected `key: value`, found no colon",
            Some("check the indentation, and that a colon has a space after it"),
        ),
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::BlockSequenceEntryNotAllowed => (
            "this line does not belong to the lines above it",
            Some("check the indentation; put quotes around text that holds quotes or brackets"),
        ),
        ErrorKind::UnexpectedCharacter { .. } => (
            "this character cannot begin a value",
            Some("put quotes around a value that begins with `%`, `@` or a backtick"),
        ),
        ErrorKind::UnknownQuotedScalarEscape => (
            "unknown escape in double quotes",
            Some("write a backslash twice, or use single quotes"),
        ),
        ErrorKind::RecursionLimitExceeded => ("nested too deep", None),
        other => return YamlError::new(place, other.to_string()),
    };
    let error = YamlError::new(place, message);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// The error for a tab where YAML wants spaces.
pub(super) fn tab(place: Place) -> YamlError {
    YamlError::new(place, "a tab is not allowed here")
        .with_hint("use spaces; a tab may stand only in quotes, block text and comments")
}

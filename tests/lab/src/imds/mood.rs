//! How a metadata service treats whoever asks.

use std::str::FromStr;

/// How the service treats whoever asks. In text: `fair`, `throttles:2`, `web-page`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// As the real one.
    #[default]
    Fair,
    /// Switched off for this instance: 403 to everything.
    Disabled,
    /// As an instance with `HttpTokens=optional` has it: whoever shows no token is served too.
    Optional,
    /// Without sessions, as services that only know version 1: 404 to whoever wants a token.
    NoSessions,
    /// Busy: 503 and `Retry-After: 1` to the first so many requests for each path.
    Throttles(usize),
    /// Every token is dead after this many answers.
    Forgetful(usize),
    /// Less of each item comes than its Content-Length says.
    CutsShort,
    /// The connection is reset in the middle of the first so many answers of each item.
    Resets(usize),
    /// Each item begins, and never ends.
    Slow,
    /// Each item goes on for ever.
    Huge,
    /// Another place is named, where the items are said to be.
    Redirects,
    /// Whatever is asked for, a web page comes.
    WebPage,
}

/// A text that is no [`Mood`].
#[derive(Debug)]
pub struct UnknownMood(String);

impl std::fmt::Display for UnknownMood {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            to,
            "there is no mood `{}`; there are fair, disabled, optional, no-sessions, throttles:N, \
             forgetful:N, cuts-short, resets:N, slow, huge, redirects and web-page",
            self.0
        )
    }
}

impl std::error::Error for UnknownMood {}

impl FromStr for Mood {
    type Err = UnknownMood;

    fn from_str(text: &str) -> Result<Self, UnknownMood> {
        let (name, count) = match text.split_once(':') {
            Some((name, count)) => (name, count.parse().ok()),
            None => (text, None),
        };
        match (name, count) {
            ("fair", None) => Ok(Self::Fair),
            ("disabled", None) => Ok(Self::Disabled),
            ("optional", None) => Ok(Self::Optional),
            ("no-sessions", None) => Ok(Self::NoSessions),
            ("throttles", Some(count)) => Ok(Self::Throttles(count)),
            ("forgetful", Some(count)) => Ok(Self::Forgetful(count)),
            ("cuts-short", None) => Ok(Self::CutsShort),
            ("resets", Some(count)) => Ok(Self::Resets(count)),
            ("slow", None) => Ok(Self::Slow),
            ("huge", None) => Ok(Self::Huge),
            ("redirects", None) => Ok(Self::Redirects),
            ("web-page", None) => Ok(Self::WebPage),
            _ => Err(UnknownMood(text.to_owned())),
        }
    }
}

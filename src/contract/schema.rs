//! What a key of the configuration may hold, said as data: a module's facts describe its keys with
//! it, and the check of a document, the JSON Schema for editors and the help are made from that.
//!
//! Everything here can be made in a `const`.

/// A top-level key, or a field of a mapping.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it is for, in one line: lower case, no full stop.
    pub summary: &'static str,
    /// What it may hold. Null is as if the key were not there.
    pub shape: Shape,
    /// What holds when it is not given, as YAML; `None` if nothing does or the machine tells.
    pub default: Option<&'static str>,
    /// Whether its mapping is useless without it.
    pub is_required: bool,
    /// Whether its value is secret.
    pub is_secret: bool,
    /// Whether it counts in the image's configuration alone.
    pub is_for_images: bool,
    /// Other spellings that work as well and are not to be written any more.
    pub old: &'static [&'static str],
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Anything: whoever reads it checks it.
    Any,
    /// Text.
    Text,
    /// Text, or a number, a date or a boolean that counts as its text.
    Scalar,
    /// True or false.
    Bool,
    /// True or false, or a word for it: `on`, `off`, `yes`, `no`, `1`, `0`.
    Switch,
    /// A whole number from the first to the second.
    Integer(i64, i64),
    /// A number, whole or not.
    Number,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of such values.
    List(&'static Shape),
    /// A mapping with these fields; others are ignored.
    Map(&'static [Key]),
    /// A mapping with these fields; others are no mistake.
    Open(&'static [Key]),
    /// A mapping with these fields; another one costs it.
    Strict(&'static [Key]),
    /// A mapping from any name to such a value.
    Named(&'static Shape),
    /// One of these, of which no two take the same kind of value.
    OneOf(&'static [Shape]),
}

impl Key {
    /// A key that need not be given.
    #[must_use]
    pub const fn new(name: &'static str, shape: Shape, summary: &'static str) -> Self {
        Self {
            name,
            summary,
            shape,
            default: None,
            is_required: false,
            is_secret: false,
            is_for_images: false,
            old: &[],
        }
    }

    /// The same with what holds when it is not given, as YAML.
    #[must_use]
    pub const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// The same, and its mapping is useless without it.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// The same, and its value is secret.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// The same, and it counts in the image's configuration alone.
    #[must_use]
    pub const fn for_images(mut self) -> Self {
        self.is_for_images = true;
        self
    }

    /// The same with other spellings that work as well and are not to be written any more.
    #[must_use]
    pub const fn once_called(mut self, old: &'static [&'static str]) -> Self {
        self.old = old;
        self
    }

    /// What is said of it, and behind that what else a reader has to know: that it is secret, of images
    /// alone, how it was once called.
    #[must_use]
    pub fn told(&self, said: &str) -> String {
        let old = self.old.join("`, `");
        let all = [
            (!said.is_empty(), said.to_owned()),
            (self.is_secret, "secret".to_owned()),
            (self.is_for_images, "of images alone".to_owned()),
            (!self.old.is_empty(), format!("once called `{old}`")),
        ];
        let all = all.into_iter().filter(|(holds, _)| *holds);
        all.map(|(_, text)| text).collect::<Vec<_>>().join("; ")
    }

    /// Its name and its old spellings.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.old.iter().copied())
    }
}

impl Shape {
    /// The fields, if it is a mapping of fields.
    #[must_use]
    pub const fn fields(&self) -> Option<&'static [Key]> {
        match self {
            Self::Map(fields) | Self::Open(fields) | Self::Strict(fields) => Some(fields),
            _ => None,
        }
    }

    /// What to call it in a message: `a boolean`, `a list of strings`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Text | Self::Scalar => "a string".to_owned(),
            Self::Bool | Self::Switch => "a boolean".to_owned(),
            Self::Integer(0, i64::MAX) => "an integer from 0".to_owned(),
            Self::Integer(i64::MIN, i64::MAX) => "an integer".to_owned(),
            Self::Integer(from, to) => format!("an integer from {from} to {to}"),
            Self::Number => "a number".to_owned(),
            Self::Word(words) => format!("`{}`", words.join("` or `")),
            Self::List(Self::Any) => "a list".to_owned(),
            Self::List(of) => format!("a list of {}", of.plural()),
            Self::Map(_) | Self::Open(_) | Self::Strict(_) | Self::Named(_) => {
                "a mapping".to_owned()
            }
            Self::OneOf(shapes) => {
                let names: Vec<String> = shapes.iter().map(Self::name).collect();
                names.join(", or ")
            }
        }
    }

    fn plural(&self) -> String {
        match self {
            Self::Text | Self::Scalar => "strings".to_owned(),
            Self::Bool | Self::Switch => "booleans".to_owned(),
            Self::Integer(..) => "integers".to_owned(),
            Self::Number => "numbers".to_owned(),
            Self::List(_) => "lists".to_owned(),
            Self::Map(_) | Self::Open(_) | Self::Strict(_) | Self::Named(_) => {
                "mappings".to_owned()
            }
            Self::OneOf(shapes) => {
                let names: Vec<String> = shapes.iter().map(Self::plural).collect();
                names.join(" and ")
            }
            Self::Any | Self::Word(_) => self.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_named_as_a_person_would() {
        #[rustfmt::skip]
        let table = [
            (Shape::List(&Shape::Text),                              "a list of strings"),
            (Shape::OneOf(&[Shape::Bool, Shape::Word(&["localhost"])]), "a boolean, or `localhost`"),
            (Shape::Integer(0, i64::MAX),                            "an integer from 0"),
            (Shape::List(&Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Scalar)])),
                                                                     "a list of strings and lists"),
        ];
        for (shape, name) in table {
            assert_eq!(shape.name(), name);
        }
    }
}

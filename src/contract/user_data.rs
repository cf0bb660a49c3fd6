//! User data: what the owner said at launch, as bytes and as parts.

use crate::instance::LaunchIndex;
use crate::secret::Secret;

/// User data as the cloud gave it, not decoded. Empty when there was none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserData(pub Secret<Vec<u8>>);

impl UserData {
    /// Wraps the raw bytes.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(Secret::new(bytes))
    }

    /// The raw bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.expose()
    }
}

/// What the cloud's vendor says to all of its instances, not decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VendorData {
    /// `vendor-data`, if there is any.
    pub first: Option<UserData>,
    /// `vendor-data2`, which wins over the first. Source: cloud-init, `cloudinit/helpers.py`
    /// (`ConfigMerger`).
    pub second: Option<UserData>,
}

/// One part of user data after decoding: transfer encodings and compression are undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its file name, or `part-001` by its number; made safe to be one path component.
    pub name: String,
    /// 1-based position among all parts, counted before any is left out by its launch index.
    pub number: usize,
    /// What it is.
    pub kind: PartKind,
    /// For which instance of the launch its header says that it is; `None` is for all.
    pub launch_index: Option<LaunchIndex>,
    /// Whether its header says something that is no launch index: no instance that has one takes
    /// the part. Source: cloud-init, `cloudinit/filters/launch_index.py`.
    pub for_nobody: bool,
    /// Whether the cloud said it, for all of its instances, and not the owner.
    pub vendor: bool,
    /// How it says in its header that it is merged into earlier parts: `Merge-Type`, or else
    /// `X-Merge-Type`, in exactly this spelling. Source: cloud-init,
    /// `cloudinit/handlers/cloud_config.py`.
    pub merge_type: Option<String>,
    /// The line of the user data at which the body begins, 1-based, where that is known.
    pub first_line: u32,
    /// The decoded payload.
    pub body: Secret<Vec<u8>>,
}

/// The formats of a part. Source of the names: cloud-init, `cloudinit/handlers/__init__.py`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// `#cloud-config`: a YAML mapping.
    CloudConfig,
    /// `#cloud-config-jsonp`: a JSON Patch (RFC 6902) of the configuration so far.
    JsonPatch,
    /// `#!`: run once for each instance.
    Script,
    /// `#cloud-boothook`: run at every boot, as early as there is user data. Its body is without
    /// that header.
    BootHook,
    /// `text/x-shellscript-per-boot`: run at every boot.
    PerBoot,
    /// `text/x-shellscript-per-instance`: run once for each instance.
    PerInstance,
    /// `text/x-shellscript-per-once`: run once in the life of this machine's disk.
    PerOnce,
    /// `## template: jinja`: a template of a cloud-config, a script or a boothook.
    Jinja,
    /// `key=value` parameters.
    Parameters,
    /// Known by name and not handled: its MIME type.
    Unsupported(&'static str),
    /// Nothing that anybody knows: the declared or guessed MIME type.
    Unknown(String),
}

impl PartKind {
    /// `#part-handler`: code that takes other parts upon itself, where the image lets it.
    pub const HANDLER: Self = Self::Unsupported("text/part-handler");

    /// The MIME type by which cloud-init knows the format.
    #[must_use]
    pub fn mime(&self) -> &str {
        match self {
            Self::CloudConfig => "text/cloud-config",
            Self::JsonPatch => "text/cloud-config-jsonp",
            Self::Script => "text/x-shellscript",
            Self::BootHook => "text/cloud-boothook",
            Self::PerBoot => "text/x-shellscript-per-boot",
            Self::PerInstance => "text/x-shellscript-per-instance",
            Self::PerOnce => "text/x-shellscript-per-once",
            Self::Jinja => "text/jinja2",
            Self::Parameters => "text/plain",
            Self::Unsupported(mime) => mime,
            Self::Unknown(mime) => mime,
        }
    }
}

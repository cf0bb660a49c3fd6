//! What is kept on disk about an instance, below `/var/lib/firstlight`.

use std::io;
use std::path::{Path, PathBuf};

use contract::effect::{Effect, Mode, Target};
use contract::error::EffectError;
use contract::instance::InstanceMetadata;
use contract::machine::{Machine, Probe};
use contract::name::InstanceId;
use contract::secret::Secret;
use contract::user_data::{UserData, VendorData};

const STATE: &str = "/var/lib/firstlight";
const CURRENT: &str = "/var/lib/firstlight/instance-id";
const VENDOR_DATA: &str = "vendor-data";
const VENDOR_DATA2: &str = "vendor-data2";

/// Why an instance's state could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The machine could not write.
    #[error("cannot keep the instance's state")]
    Keep(#[from] EffectError),
    /// A file is there and cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("cannot understand {}", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// Where reading stopped.
        source: serde_json::Error,
    },
}

/// What an earlier boot kept: metadata, user data and vendor data.
pub type Stored = (InstanceMetadata, UserData, VendorData);

/// The directory of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// Makes the instance's directory and key and makes it the current instance. `fresh_key` are
    /// random bytes for the key, used if there is none yet.
    ///
    /// # Errors
    /// When the machine could not write, or the key cannot be read.
    pub fn open(
        machine: &dyn Machine,
        id: &InstanceId,
        fresh_key: [u8; 32],
    ) -> Result<Self, StoreError> {
        let dir = Self::dir_of(id);
        let private = [dir.clone(), PathBuf::from(format!("{STATE}/once"))];
        for (path, mode) in private
            .into_iter()
            .map(|path| (path, Mode::PRIVATE_EXEC))
            .chain([(PathBuf::from("/run/firstlight"), Mode::PUBLIC_DIR)])
        {
            machine.apply(&Effect::directory(path, mode))?;
        }
        let key = dir.join("key");
        if read(machine, &key)?.is_none() {
            let bytes = Secret::new(fresh_key.to_vec());
            machine.apply(&Effect::secret_file(key, bytes, Mode::PRIVATE))?;
        }
        let link = Target::from(format!("{STATE}/instance").as_str());
        machine.apply(&Effect::Link {
            at: link,
            to: format!("instances/{id}").into(),
        })?;
        machine.apply(&Effect::file(CURRENT, format!("{id}\n")))?;
        Ok(Self { dir })
    }

    /// Where this instance's state lives, an absolute path on the machine.
    #[must_use]
    pub fn instance_dir(&self) -> &Path {
        &self.dir
    }

    /// Where the state of an instance lives, whether it is there or not.
    #[must_use]
    pub fn dir_of(id: &InstanceId) -> PathBuf {
        Path::new(STATE).join("instances").join(id.as_str())
    }

    /// The instance that this machine was last.
    pub fn current(probe: &dyn Probe) -> Option<InstanceId> {
        let bytes = probe.read(Path::new(CURRENT)).ok()??;
        std::str::from_utf8(&bytes).ok()?.trim().parse().ok()
    }

    /// Keeps what the data source gave, for root alone.
    ///
    /// # Errors
    /// When the machine could not write.
    pub fn save_instance(
        &self,
        machine: &dyn Machine,
        metadata: &InstanceMetadata,
        user_data: &UserData,
        vendor_data: &VendorData,
    ) -> Result<(), StoreError> {
        let path = self.dir.join("instance.json");
        let json = serde_json::to_vec(metadata).map_err(|source| StoreError::Format {
            path: path.clone(),
            source,
        })?;
        let keep = |path: PathBuf, bytes: Secret<Vec<u8>>| {
            machine.apply(&Effect::secret_file(path, bytes, Mode::PRIVATE))
        };
        keep(self.dir.join("user-data"), user_data.0.clone())?;
        let (first, second) = (&vendor_data.first, &vendor_data.second);
        for (name, data) in [(VENDOR_DATA, first), (VENDOR_DATA2, second)] {
            let path = self.dir.join(name);
            match data {
                Some(data) => keep(path, data.0.clone())?,
                None => machine.apply(&Effect::Absent { at: path.into() })?,
            };
        }
        // Last, so that an instance that can be loaded is whole.
        keep(path, Secret::new(json))?;
        Ok(())
    }

    /// What an earlier boot kept; `None` if it kept nothing.
    ///
    /// # Errors
    /// When it is there and cannot be read or understood.
    pub fn load_instance(probe: &dyn Probe, id: &InstanceId) -> Result<Option<Stored>, StoreError> {
        let dir = Self::dir_of(id);
        let path = dir.join("instance.json");
        let Some(json) = read(probe, &path)? else {
            return Ok(None);
        };
        let metadata =
            serde_json::from_slice(&json).map_err(|source| StoreError::Format { path, source })?;
        let user_data = UserData::new(read(probe, &dir.join("user-data"))?.unwrap_or_default());
        let vendor_data = VendorData {
            first: read(probe, &dir.join(VENDOR_DATA))?.map(UserData::new),
            second: read(probe, &dir.join(VENDOR_DATA2))?.map(UserData::new),
        };
        Ok(Some((metadata, user_data, vendor_data)))
    }
}

pub(crate) fn read<P: Probe + ?Sized>(
    probe: &P,
    path: &Path,
) -> Result<Option<Vec<u8>>, StoreError> {
    probe.read(path).map_err(|source| StoreError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, instance};

    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_the_key_is_made_once() {
        let machine = FakeMachine::default();
        let metadata = instance();
        let data = UserData::new(b"#!/bin/sh\n".to_vec());
        let store = Store::open(&machine, &metadata.instance_id, [1; 32]).unwrap();
        let vendor = VendorData {
            first: None,
            second: Some(data.clone()),
        };
        store
            .save_instance(&machine, &metadata, &data, &vendor)
            .unwrap();
        Store::open(&machine, &metadata.instance_id, [2; 32]).unwrap();
        let id = Store::current(&machine).unwrap();
        assert_eq!(
            Store::load_instance(&machine, &id).unwrap(),
            Some((metadata, data, vendor))
        );
        let key = machine.read(&store.instance_dir().join("key")).unwrap();
        assert_eq!(key, Some(vec![1; 32]));
    }

    #[test]
    fn a_machine_without_state_is_no_instance() {
        assert_eq!(Store::current(&FakeMachine::default()), None);
    }
}

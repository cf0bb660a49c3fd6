//! What is wanted on this machine: pure planners, one file a theme, in the order of the boot.
//!
//! A module turns its section of the configuration and the facts of the instance into effects. It
//! sees the machine only through `Context::probe` and changes nothing.

use contract::module::Entry;

mod accounts;
mod ansible;
mod apk_configure;
mod apt_configure;
mod apt_pipelining;
mod armor;
mod authkey_fingerprints;
mod bootcmd;
mod boothook;
mod byobu;
mod ca_certs;
mod chef;
mod cloud_init;
mod command;
mod content;
mod debconf;
mod decimal;
mod disable_ec2_metadata;
mod disk;
mod disk_setup;
mod distribution;
mod election;
mod fan;
mod fields;
mod files;
mod final_message;
mod given_keys;
mod growpart;
mod grub_dpkg;
mod hidden;
mod host_files;
mod host_keys;
mod hostname;
mod hosts;
mod install_hotplug;
mod installer;
mod keyboard;
mod keys_to_console;
mod landscape;
mod locale;
mod lxd;
mod mcollective;
mod mounts;
mod ntp;
mod packages;
mod part_handlers;
mod pattern;
mod phone_home;
mod power_state;
mod puppet;
mod repositories;
mod resizefs;
mod resolv_conf;
mod rh_subscription;
mod rsyslog;
mod salt_minion;
mod script;
mod scripts;
mod scripts_by_time;
mod seed_random;
mod selinux;
mod services;
mod set_passwords;
mod shell_items;
mod shell_lexer;
mod shell_script;
mod snap;
mod spacewalk;
mod ssh_import_id;
mod ssh_keys;
mod sshd_config;
mod switch;
mod timezone;
mod told;
mod ubuntu_drivers;
mod ubuntu_pro;
mod users;
mod verified;
mod wireguard;
mod write_files;
mod write_metadata;
mod yum_add_repo;
mod zypper_add_repo;

pub use accounts::accounts_of;
pub use cloud_init::{CLOUD_INIT, CLOUD_INIT_KEYS, RENAMED, semaphore};
pub use packages::needed as packages_needed;
pub use verified::keep_verified;

/// Every module, in the order in which the boot runs them.
///
/// Where cloud-init has a module of the name, the order is that of its `config/cloud.cfg.tmpl`.
pub const TABLE: &[Entry] = &[
    // identity
    Entry::of::<part_handlers::PartHandlers>(),
    Entry::of::<part_handlers::PartHandlersAlways>(),
    Entry::of::<boothook::BootHook>(),
    Entry::of::<seed_random::SeedRandom>(),
    Entry::of::<bootcmd::Bootcmd>(),
    Entry::of::<write_files::WriteFiles>(),
    Entry::of::<write_metadata::WriteMetadata>(),
    Entry::of::<growpart::GrowPart>(),
    Entry::of::<resizefs::ResizeFs>(),
    Entry::of::<disk_setup::DiskSetup>(),
    Entry::of::<mounts::Mounts>(),
    Entry::of::<hostname::SetHostname>(),
    Entry::of::<hostname::UpdateHostname>(),
    Entry::of::<hosts::UpdateEtcHosts>(),
    Entry::of::<resolv_conf::ResolvConf>(),
    Entry::of::<ca_certs::CaCerts>(),
    Entry::of::<rsyslog::Rsyslog>(),
    Entry::of::<selinux::Selinux>(),
    Entry::of::<users::UsersGroups>(),
    Entry::of::<ssh_keys::Ssh>(),
    Entry::of::<set_passwords::SetPasswords>(),
    Entry::of::<election::Election>(),
    // config
    Entry::of::<wireguard::Wireguard>(),
    Entry::of::<snap::Snap>(),
    Entry::of::<ssh_import_id::SshImportId>(),
    Entry::of::<keyboard::Keyboard>(),
    Entry::of::<locale::Locale>(),
    Entry::of::<grub_dpkg::GrubDpkg>(),
    Entry::of::<apt_pipelining::AptPipelining>(),
    Entry::of::<apt_configure::AptConfigure>(),
    Entry::of::<ubuntu_pro::UbuntuPro>(),
    Entry::of::<rh_subscription::RhSubscription>(),
    Entry::of::<spacewalk::Spacewalk>(),
    Entry::of::<yum_add_repo::YumAddRepo>(),
    Entry::of::<zypper_add_repo::ZypperAddRepo>(),
    Entry::of::<apk_configure::ApkConfigure>(),
    Entry::of::<ntp::Ntp>(),
    Entry::of::<timezone::Timezone>(),
    Entry::of::<disable_ec2_metadata::DisableEc2Metadata>(),
    Entry::of::<scripts::Runcmd>(),
    Entry::of::<byobu::Byobu>(),
    Entry::of::<content::Content>(),
    Entry::of::<election::ElectionUnits>(),
    Entry::of::<host_keys::SshRsa>(),
    // final
    Entry::of::<packages::Packages>(),
    Entry::of::<fan::Fan>(),
    Entry::of::<landscape::Landscape>(),
    Entry::of::<lxd::Lxd>(),
    Entry::of::<ubuntu_drivers::UbuntuDrivers>(),
    Entry::of::<write_files::WriteFilesDeferred>(),
    Entry::of::<puppet::Puppet>(),
    Entry::of::<chef::Chef>(),
    Entry::of::<ansible::Ansible>(),
    Entry::of::<mcollective::Mcollective>(),
    Entry::of::<salt_minion::SaltMinion>(),
    Entry::of::<content::ContentDeferred>(),
    Entry::of::<scripts_by_time::Vendor>(),
    Entry::of::<scripts_by_time::PerOnce>(),
    Entry::of::<scripts_by_time::PerBoot>(),
    Entry::of::<scripts_by_time::PerInstance>(),
    Entry::of::<scripts::ScriptsUser>(),
    Entry::of::<authkey_fingerprints::AuthkeyFingerprints>(),
    Entry::of::<keys_to_console::KeysToConsole>(),
    Entry::of::<install_hotplug::InstallHotplug>(),
    Entry::of::<phone_home::PhoneHome>(),
    Entry::of::<election::ElectionRun>(),
    Entry::of::<final_message::FinalMessage>(),
    Entry::of::<power_state::PowerState>(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_cloud_init_where_it_has_the_module() {
        let ours = || TABLE.iter().map(|entry| entry.facts.name);
        let theirs = CLOUD_INIT.iter().copied();
        let both = theirs.filter(|name| ours().any(|own| own == *name));
        assert!(ours().filter(|name| CLOUD_INIT.contains(name)).eq(both));
    }

    #[test]
    fn each_module_describes_the_keys_that_its_section_reads() {
        for entry in TABLE {
            let sorted = |names: &[&'static str]| {
                let mut names = names.to_vec();
                names.sort_unstable();
                names
            };
            let described = sorted(&entry.facts.key_names());
            assert_eq!(described, sorted((entry.reads)()), "{}", entry.facts.name);
        }
    }

    #[test]
    fn a_key_that_several_modules_read_is_described_once() {
        let keys = || TABLE.iter().flat_map(|entry| entry.facts.keys);
        for key in keys() {
            for other in keys().filter(|other| other.name == key.name) {
                assert_eq!(other.summary, key.summary, "{}", key.name);
            }
        }
    }

    #[test]
    fn names_are_unique_and_stages_follow_each_other() {
        for pair in TABLE.windows(2) {
            assert!(
                pair[0].facts.stage <= pair[1].facts.stage,
                "{}",
                pair[1].facts.name
            );
        }
        let mut names: Vec<_> = TABLE.iter().map(|entry| entry.facts.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }
}

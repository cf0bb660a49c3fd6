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
    Entry::seldom::<write_metadata::WriteMetadata>(),
    Entry::of::<growpart::GrowPart>(),
    Entry::of::<resizefs::ResizeFs>(),
    Entry::seldom::<disk_setup::DiskSetup>(),
    Entry::of::<mounts::Mounts>(),
    Entry::of::<hostname::SetHostname>(),
    Entry::of::<hostname::UpdateHostname>(),
    Entry::of::<hosts::UpdateEtcHosts>(),
    Entry::seldom::<resolv_conf::ResolvConf>(),
    Entry::seldom::<ca_certs::CaCerts>(),
    Entry::seldom::<rsyslog::Rsyslog>(),
    Entry::seldom::<selinux::Selinux>(),
    Entry::of::<users::UsersGroups>(),
    Entry::of::<ssh_keys::Ssh>(),
    Entry::of::<set_passwords::SetPasswords>(),
    Entry::of::<election::Election>(),
    // config
    Entry::seldom::<wireguard::Wireguard>(),
    Entry::seldom::<snap::Snap>(),
    Entry::of::<ssh_import_id::SshImportId>(),
    Entry::seldom::<keyboard::Keyboard>(),
    Entry::of::<locale::Locale>(),
    Entry::of::<grub_dpkg::GrubDpkg>(),
    Entry::seldom::<apt_pipelining::AptPipelining>(),
    Entry::of::<apt_configure::AptConfigure>(),
    Entry::seldom::<ubuntu_pro::UbuntuPro>(),
    Entry::seldom::<rh_subscription::RhSubscription>(),
    Entry::seldom::<spacewalk::Spacewalk>(),
    Entry::seldom::<yum_add_repo::YumAddRepo>(),
    Entry::seldom::<zypper_add_repo::ZypperAddRepo>(),
    Entry::seldom::<apk_configure::ApkConfigure>(),
    Entry::seldom::<ntp::Ntp>(),
    Entry::of::<timezone::Timezone>(),
    Entry::seldom::<disable_ec2_metadata::DisableEc2Metadata>(),
    Entry::of::<scripts::Runcmd>(),
    Entry::seldom::<byobu::Byobu>(),
    Entry::of::<content::Content>(),
    Entry::of::<election::ElectionUnits>(),
    Entry::of::<host_keys::SshRsa>(),
    // final
    Entry::of::<packages::Packages>(),
    Entry::seldom::<fan::Fan>(),
    Entry::seldom::<landscape::Landscape>(),
    Entry::seldom::<lxd::Lxd>(),
    Entry::seldom::<ubuntu_drivers::UbuntuDrivers>(),
    Entry::of::<write_files::WriteFilesDeferred>(),
    Entry::seldom::<puppet::Puppet>(),
    Entry::seldom::<chef::Chef>(),
    Entry::seldom::<ansible::Ansible>(),
    Entry::seldom::<mcollective::Mcollective>(),
    Entry::seldom::<salt_minion::SaltMinion>(),
    Entry::of::<content::ContentDeferred>(),
    Entry::of::<scripts_by_time::Vendor>(),
    Entry::of::<scripts_by_time::PerOnce>(),
    Entry::of::<scripts_by_time::PerBoot>(),
    Entry::of::<scripts_by_time::PerInstance>(),
    Entry::of::<scripts::ScriptsUser>(),
    Entry::of::<authkey_fingerprints::AuthkeyFingerprints>(),
    Entry::of::<keys_to_console::KeysToConsole>(),
    Entry::seldom::<install_hotplug::InstallHotplug>(),
    Entry::seldom::<phone_home::PhoneHome>(),
    Entry::of::<election::ElectionRun>(),
    Entry::of::<final_message::FinalMessage>(),
    Entry::seldom::<power_state::PowerState>(),
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

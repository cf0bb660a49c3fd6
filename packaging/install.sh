#!/usr/bin/env bash
# Installs firstlight into an image: the running machine, or a tree that becomes one.
#
# Usage: packaging/install.sh [--root DIR] [--binary FILE] [--compat] [--gate-basic-target] [--openrc]
#
#   --root DIR             install below DIR instead of into the running machine
#   --binary FILE          the built program; else target/release/firstlight
#   --compat               also what takes cloud-init's place: its commands, units and state
#   --gate-basic-target    hold back ordinary services until this machine is itself, as cloud-init
#                          does on Debian and Ubuntu; only where the network is systemd-networkd's
#                          or ifupdown's
#   --openrc               a service of OpenRC in the place of systemd's units, as Alpine Linux needs it
#   --package NAME         lay out the files of this package alone and enable nothing:
#                          packaging/build makes packages of them
#
# It enables the units and starts nothing: an image is not an instance.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

usage="usage: packaging/install.sh [--root DIR] [--binary FILE] [--compat] [--gate-basic-target] [--openrc]
       [--package NAME]"
compat=packaging/cloud-init-compat
documents=target/documents

main() {
    root=/ binary=target/release/firstlight
    local package='' parts=(firstlight) gate=no
    openrc=no
    while (($#)); do
        case $1 in
        --root) root=${2:?--root needs a directory} && shift 2 ;;
        --binary) binary=${2:?--binary needs a file} && shift 2 ;;
        --compat) parts+=(firstlight-cloud-init-compat) && shift ;;
        --gate-basic-target) gate=yes && shift ;;
        --openrc) openrc=yes && shift ;;
        --package) package=${2:?--package needs a name} && shift 2 ;;
        *) echo "$usage" >&2 && exit 64 ;;
        esac
    done
    [[ -d $root ]] || { echo "install: there is no directory $root" >&2; exit 1; }
    root=${root%/}
    if [[ $openrc == yes && ${#parts[@]}$gate$package != 1no ]]; then
        echo "install: --openrc goes with --root and --binary alone: the other parts are units of systemd" >&2
        exit 64
    fi
    units=$root/usr/lib/systemd/system
    presets=$root/usr/lib/systemd/system-preset
    [[ -z $package ]] || parts=("$package")

    local part
    for part in "${parts[@]}"; do
        case $part in
        firstlight) lay_firstlight ;;
        firstlight-cloud-init-compat) lay_compat ;;
        *) echo "install: there is no package $part" >&2 && exit 64 ;;
        esac
    done
    if [[ $gate == yes ]]; then
        install -D -m 644 -t "$units/firstlight.service.d" systemd/debian/firstlight.service.d/*.conf
    fi
    [[ -n $package ]] || enable "${parts[@]}"
}

lay_firstlight() {
    [[ -x $binary ]] || { echo "install: there is no $binary: cargo build --release makes it" >&2; exit 1; }
    install -D -m 755 "$binary" "$root/usr/bin/firstlight"
    if [[ $openrc == yes ]]; then
        install -D -m 755 packaging/openrc/firstlight "$root/etc/init.d/firstlight"
        ln -sfn firstlight "$root/etc/init.d/firstlight-final"
    else
        lay_units
    fi
    configuration packaging/config.yaml config.yaml
    install -d -m 755 "$root/etc/firstlight/config.d"
    lay_documents firstlight
}

lay_units() {
    install -D -m 644 -t "$units" systemd/*.service
    install -D -m 644 -t "$units/sshd-keygen@.service.d" systemd/sshd-keygen@.service.d/*.conf
    install -D -m 644 -t "$presets" systemd/80-firstlight.preset
    install -D -m 644 -t "$root/usr/lib/tmpfiles.d" systemd/tmpfiles.d/firstlight.conf
}

# lay_documents NAME: manual pages and completions of the commands whose names begin so, if
# packaging/build has written them.
lay_documents() {
    [[ -d $documents ]] || return 0
    local file
    while read -r file; do
        case $file in
        man/*) gzip -9n <"$documents/$file" | install -D -m 644 /dev/stdin "$root/usr/share/$file.gz" ;;
        *) install -D -m 644 "$documents/$file" "$root/usr/share/$file" ;;
        esac
    done < <(find "$documents" -type f \( -name "$1*" -o -name "_$1*" \) -printf '%P\n')
}

lay_compat() {
    local unit name
    install -d -m 755 "$root/usr/bin"
    for name in cloud-init cloud-id cloud-init-per; do
        ln -sfn firstlight "$root/usr/bin/$name"
    done
    configuration $compat/config.yaml config.d/10-cloud-init-compat.yaml
    lay_documents cloud-
    # Units, drop-ins in directories of theirs, and links: names that are another unit's as well.
    while read -r unit; do
        if [[ -h $compat/systemd/$unit ]]; then
            install -d -m 755 "$units"
            cp --no-dereference "$compat/systemd/$unit" "$units/$unit"
        else
            install -D -m 644 "$compat/systemd/$unit" "$units/$unit"
        fi
    done < <(cd "$compat/systemd" && find . -type f,l -printf '%P\n')
    # Which of them are enabled says their own [Install] section.
    {
        echo "# As in 80-firstlight.preset."
        grep -rlx '\[Install\]' "$compat/systemd" | sed 's#.*/#enable #' | LC_ALL=C sort
    } | install -D -m 644 /dev/stdin "$presets/80-firstlight-cloud-init-compat.preset"
}

# configuration FILE NAME: what the image's builder wrote stays.
configuration() {
    [[ -e $root/etc/firstlight/$2 ]] || install -D -m 644 "$1" "$root/etc/firstlight/$2"
}

enable() {
    local part name
    if [[ $openrc == yes ]]; then
        # As `rc-update add NAME default` does it.
        install -d -m 755 "$root/etc/runlevels/default"
        for name in firstlight firstlight-final; do
            ln -sfn "/etc/init.d/$name" "$root/etc/runlevels/default/$name"
        done
        return
    fi
    for part in "$@"; do
        sed -n 's/^enable //p' "$presets/80-$part.preset" \
            | xargs --no-run-if-empty systemctl --quiet --root="$root/" preset
    done
}

main "$@"

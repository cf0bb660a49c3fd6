#!/usr/bin/env bash
# Installs firstlight into an image: the running machine, or a tree that becomes one.
#
# Usage: packaging/install.sh [--root DIR] [--binary FILE] [--gate-basic-target]
#
#   --root DIR             install below DIR instead of into the running machine
#   --binary FILE          the built program; else target/release/firstlight
#   --gate-basic-target    hold back ordinary services until this machine is itself, as cloud-init
#                          does on Debian and Ubuntu; only where the network is systemd-networkd's
#                          or ifupdown's
#
# It enables the units and starts nothing: an image is not an instance.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

root=/ binary=target/release/firstlight gate=no
while (($#)); do
    case $1 in
    --root) root=${2:?--root needs a directory} && shift 2 ;;
    --binary) binary=${2:?--binary needs a file} && shift 2 ;;
    --gate-basic-target) gate=yes && shift ;;
    *)
        echo "usage: packaging/install.sh [--root DIR] [--binary FILE] [--gate-basic-target]" >&2
        exit 64
        ;;
    esac
done
[[ -x $binary ]] || { echo "install: there is no $binary: cargo build --release makes it" >&2; exit 1; }
[[ -d $root ]] || { echo "install: there is no directory $root" >&2; exit 1; }

root=${root%/}
units=$root/usr/lib/systemd/system
install -D -m 755 "$binary" "$root/usr/bin/firstlight"
install -D -m 644 -t "$units" systemd/*.service
install -D -m 644 -t "$units/sshd-keygen@.service.d" systemd/sshd-keygen@.service.d/*.conf
install -D -m 644 -t "$root/usr/lib/systemd/system-preset" systemd/firstlight.preset
install -D -m 644 -t "$root/usr/lib/tmpfiles.d" systemd/tmpfiles.d/firstlight.conf
if [[ $gate == yes ]]; then
    install -D -m 644 -t "$units/firstlight.service.d" systemd/debian/firstlight.service.d/*.conf
fi
# What the image's builder wrote stays.
[[ -e $root/etc/firstlight/config.yaml ]] \
    || install -D -m 644 packaging/config.yaml "$root/etc/firstlight/config.yaml"
install -d -m 755 "$root/etc/firstlight/config.d"
systemctl --quiet --root="$root/" preset firstlight.service firstlight-final.service

"""Partitions, file systems, /etc/fstab and swap files, on disks that are files with a kernel around them."""

from launch import OTHER_INSTANCE, config

# The disks xvdb and xvdc, empty; the tools that ask the kernel or tell it something are stood in for, and
# the others are the real ones. What a table says becomes partitions when it has been written.
DISKS = r"""
cat >/usr/local/sbin/kernel <<'END'
#!/bin/bash
# As the kernel would tell of the disks, and make devices of their partitions.
for disk in xvdb xvdc; do
    mkdir -p /sys/block/$disk /sys/class/block/$disk
    tee /sys/block/$disk/size >/sys/class/block/$disk/size <<<$(($(stat -c %s /dev/$disk) / 512))
    seen=
    while read -r node start size; do
        part=${node#/dev/} && seen+=" $part "
        mkdir -p /sys/block/$disk/$part /sys/class/block/$part
        echo "${part#"$disk"}" >/sys/class/block/$part/partition
        tee /sys/block/$disk/$part/start >/sys/class/block/$part/start <<<"$start"
        echo "$size" >/sys/class/block/$part/size
        [[ -e $node ]] || truncate -s $((size * 512)) "$node"
    done < <(/usr/sbin/sfdisk -d /dev/$disk 2>/dev/null |
        sed -nE 's/^(\S+) : start= *([0-9]+), size= *([0-9]+),.*/\1 \2 \3/p')
    for old in /dev/$disk[0-9]*; do
        part=${old#/dev/}
        [[ $seen == *" $part "* || ! -e $old ]] || rm -r $old /sys/block/$disk/$part /sys/class/block/$part
    done
done
END
for tool in sfdisk sgdisk wipefs; do
    printf '#!/bin/sh\n/usr/sbin/%s "$@"\nstatus=$?\nkernel\nexit $status\n' $tool >/usr/local/sbin/$tool
done
cat >/usr/local/sbin/lsblk <<'END'
#!/bin/bash
for node; do [[ $node != /dev/* ]] || break; done
for found in $node $([[ $* == *--nodeps* ]] || ls $node[0-9]* 2>/dev/null); do
    kind=disk
    [[ ! -e /sys/class/block/${found#/dev/}/partition ]] || kind=part
    value() { blkid -c /dev/null -o value -s "$1" "$found"; }
    echo "NAME=\"${found#/dev/}\" TYPE=\"$kind\" FSTYPE=\"$(value TYPE)\" LABEL=\"$(value LABEL)\""
done
END
cat >/usr/local/sbin/blockdev <<'END'
#!/bin/sh
case $1 in
--getsize64) stat -c %s "$2" ;;
--getss) echo 512 ;;
--rereadpt) kernel ;;
esac
END
ln -s /usr/bin/mount /usr/local/sbin/mkfs.lab
chmod 755 /usr/local/sbin/*
truncate -s 64M /dev/xvdb /dev/xvdc
kernel
"""
# What became of them, without what is random.
SHOWN = r"""
runcmd:
- |
  for disk in xvdb xvdc; do
    /usr/sbin/sfdisk -d /dev/$disk 2>&1 | sed -E '/^(label-id|last-lba|first-lba)/d; s/, uuid=[^,]*//; s/, name=.*//' >>/srv/tables
  done
  for device in /dev/xvd[bc]*; do
    echo "$device $(blkid -c /dev/null -o value -s TYPE $device) $(blkid -c /dev/null -o value -s LABEL $device)" >>/srv/held
  done
"""
PARTS = DISKS + "printf 'size=16M, type=83\\ntype=82\\n' | sfdisk --quiet /dev/xvdb\n"
DATA = PARTS + "mkfs.ext4 -q -L data /dev/xvdb1\n"
OF_GPT = DISKS + "sgdisk -n 1:0:+20M -n 2:0:0 -t 2:8200 /dev/xvdb\nmkfs.ext4 -q -L data /dev/xvdb1\n"
LOGICAL = DISKS + r"""
printf '%s\n' '/dev/xvdb1 : start=2048, size=16M' '/dev/xvdb2 : start=40960, type=f' \
    '/dev/xvdb5 : start=43008, size=8M' '/dev/xvdb6 : start=65536, type=82' | sfdisk --quiet /dev/xvdb
mkfs.ext4 -q -L data /dev/xvdb1
"""
SWAP = "ln -s /usr/bin/mount /usr/local/sbin/mkswap\n"


def disks(name, text, prepare=DISKS, **more):
    return config(name, text.strip("\n") + SHOWN, prepare=prepare, **more)


DOCUMENTS = [
    disks("disk_setup: one partition", "disk_setup: {/dev/xvdb: {table_type: mbr, layout: true}}"),
    disks("disk_setup: shares and types", "disk_setup: {/dev/xvdb: {layout: [25, [25, 82], 50]}}"),
    disks("disk_setup: gpt", "disk_setup: {/dev/xvdb: {table_type: gpt, layout: true}}"),
    disks("disk_setup: gpt with shares and types",
          "disk_setup: {/dev/xvdb: {table_type: gpt, layout: [[25, ef00], [25, 82], 50]}}"),
    disks("disk_setup: as it is already", "disk_setup: {/dev/xvdb: {layout: [25, [75, 82]], overwrite: true}}", DATA),
    disks("disk_setup: a GPT where an MBR is asked for", "disk_setup: {/dev/xvdb: {layout: true, overwrite: true}}", OF_GPT),
    disks("disk_setup: a GPT with as many partitions", "disk_setup: {/dev/xvdb: {layout: [50, 50], overwrite: true}}", OF_GPT),
    disks("disk_setup: a GPT with the types of an MBR",
          "disk_setup: {/dev/xvdb: {layout: [25, [75, 82]], overwrite: true}}", OF_GPT),
    disks("disk_setup: an MBR in the place of a GPT", "disk_setup: {/dev/xvdb: {layout: [100], overwrite: true}}", OF_GPT),
    disks("disk_setup: an MBR where a GPT is asked for",
          "disk_setup: {/dev/xvdb: {table_type: gpt, layout: true, overwrite: true}}", DATA),
    disks("disk_setup: an MBR with the types of a GPT",
          "disk_setup: {/dev/xvdb: {table_type: gpt, layout: [[25, 83], [75, 82]], overwrite: true}}", DATA),
    disks("disk_setup: an MBR where a GPT may not be made", "disk_setup: {/dev/xvdb: {table_type: gpt, layout: true}}", DATA),
    disks("disk_setup: logical partitions count", "disk_setup: {/dev/xvdb: {layout: [20, 20, 20, 40], overwrite: true}}", LOGICAL),
    disks("disk_setup: logical partitions count as those of a GPT",
          "disk_setup: {/dev/xvdb: {table_type: gpt, layout: [20, 20, [60, 82]], overwrite: true}}", LOGICAL),
    disks("disk_setup: other partitions stay", "disk_setup: {/dev/xvdb: {layout: [10, 10, 80]}}", DATA),
    disks("disk_setup: a file system stays", "disk_setup: {/dev/xvdb: {layout: true}}",
          DISKS + "mkfs.ext4 -q -L data /dev/xvdb\n"),
    disks("disk_setup: overwrite", "disk_setup: {/dev/xvdb: {layout: [50, 50], overwrite: true}}",
          DISKS + "mkfs.ext4 -q -L data /dev/xvdb\n"),
    disks("disk_setup: layout false", "disk_setup: {/dev/xvdb: {layout: false, overwrite: true}}", DATA),
    disks("disk_setup: remove", "disk_setup: {/dev/xvdb: {layout: remove}}", DATA),
    disks("disk_setup: an alias, and one of two disks is bad", """
device_aliases: {data: /dev/xvdc}
disk_setup:
  /dev/xvdb: {layout: nosuch}
  data: {layout: true}
"""),
    disks("disk_setup: no such disk", "disk_setup: {/dev/nosuch: {layout: true}}"),
    disks("fs_setup: the disk itself", "fs_setup: [{device: /dev/xvdb, filesystem: ext4, label: data, partition: none}]"),
    disks("fs_setup: auto, with the disk's partitions", """
disk_setup: {/dev/xvdb: {layout: [50, 50]}}
fs_setup:
- {device: /dev/xvdb, filesystem: ext4, label: one, partition: auto}
- {device: /dev/xvdb, filesystem: ext3, partition: auto}
""", DISKS),
    disks("fs_setup: auto finds its own", "fs_setup: [{device: /dev/xvdb, filesystem: ext4, label: data, partition: auto}]", DATA),
    disks("fs_setup: auto takes what is free", "fs_setup: [{device: /dev/xvdb, filesystem: ext4, label: other, partition: auto}]",
          DATA),
    disks("fs_setup: any finds one of its kind", "fs_setup: [{device: /dev/xvdb, filesystem: ext4, label: other, partition: any}]",
          DATA),
    disks("fs_setup: replace_fs", "fs_setup: [{device: /dev/xvdb, filesystem: ext3, label: new, replace_fs: ext4}]", DATA),
    disks("fs_setup: nothing is free", "fs_setup: [{device: /dev/xvdb, filesystem: ext4, label: a}]",
          PARTS + "mkfs.ext3 -q /dev/xvdb1\nmkfs.ext3 -q /dev/xvdb2\n"),
    disks("fs_setup: cmd", """
fs_setup: [{device: /dev/xvdb, filesystem: lab, label: a, partition: none, cmd: mkfs.lab -L %(label)s -t %(filesystem)s %(device)s}]
"""),
    disks("fs_setup: options and force", """
fs_setup:
- {device: /dev/xvdb, filesystem: lab, label: a, partition: none, extra_opts: [-m, '1']}
- {device: /dev/xvdc, filesystem: ext4, partition: auto, overwrite: true, extra_opts: [-m, '1']}
"""),
    disks("fs_setup: another file system on the disk", "fs_setup: [{device: /dev/xvdb, filesystem: ext4, partition: none}]",
          DISKS + "mkfs.ext3 -q /dev/xvdb\n"),
    disks("fs_setup: a device that is not there, then one that is", """
fs_setup:
- {device: /dev/nosuch, filesystem: ext4}
- {device: /dev/xvdc, filesystem: ext4, label: c, partition: none}
"""),
    disks("fs_setup: a new instance keeps what is there", "fs_setup: [{device: /dev/xvdb, filesystem: ext4, label: data}]",
          boots=[{}, {"instance": OTHER_INSTANCE, "before": "tune2fs -O ^has_journal /dev/xvdb"}]),
    config("mounts: a disk by its short name", "mounts: [[xvdb, /data]]", prepare=DISKS),
    config("mounts: a disk's first partition", "mounts: [[/dev/xvdb, /data, ext4, 'defaults,noatime', '0', '0']]",
           prepare=PARTS),
    config("mounts: a partition by a dot", "mounts: [[xvdb.2, /data], [/dev/xvdb.1, /srv/more]]", prepare=PARTS),
    config("mounts: a partition by its name", "mounts: [[/dev/xvdb2, /data], [xvdb1, /srv/more]]", prepare=PARTS),
    config("mounts: no device", """
mounts:
- [LABEL=data, /data, ext4]
- ['server:/export', /nfs, nfs4, null, null, 0]
- [tmpfs, /scratch, tmpfs, size=1G]
""", prepare=DISKS),
    config("mounts: defaults", "mount_default_fields: [null, null, xfs, 'defaults,noatime', '0', '0']\n"
                               "mounts: [[xvdb, /data], [xvdc, /srv/c, ext4]]", prepare=DISKS),
    config("mounts: without a mount point", "mounts: [[xvdb, /data], [xvdb, null], [xvdc, /srv/c]]", prepare=DISKS),
    config("mounts: swap space on a disk", "mounts: [[xvdb, none, swap, sw, 0, 0]]", prepare=DISKS),
    config("mounts: a bad entry beside a good one", "mounts: [xvdb, [xvdc, /srv/c]]", prepare=DISKS),
    config("mounts: a password", "mounts: [[//srv.example/x, /mnt/x, cifs, 'username=u,password=hunter2']]", prepare=DISKS),
    config("mounts: a blank in the mount point", "mounts: [[xvdb, '/my data']]", prepare=DISKS),
    config("mounts: lines of others and of an earlier instance", "mounts: [[xvdb, /data]]", prepare=DISKS + r"""
printf '# mine\n\nUUID=1 / ext4 defaults 0 1\nxvdq /old auto defaults,comment=cloudconfig 0 2\n' >/etc/fstab
"""),
    config("mounts: a line of others for the same device", "mounts: [[xvdb, /data]]",
           prepare=DISKS + "echo '/dev/xvdb /data ext4 defaults 0 2' >/etc/fstab\n"),
    config("mounts: second boot and a new instance", "mounts: [[xvdb, /data]]", prepare=DISKS,
           boots=[{}, {}, {"instance": OTHER_INSTANCE}]),
    config("mounts: ephemeral0 of the metadata", "", prepare=DISKS,
           devices={"ami": "sda1", "root": "/dev/sda1", "ephemeral0": "sdb"}),
    config("mounts: ephemeral0 elsewhere", "mounts: [[ephemeral0, /scratch]]", prepare=PARTS,
           devices={"ami": "sda1", "ephemeral0": "sdb"}),
    config("mounts: ephemeral0 not at all", "mounts: [[ephemeral0, null]]", prepare=DISKS, devices={"ephemeral0": "sdb"}),
    config("mounts: ephemeral0 that is not there", "", prepare=DISKS, devices={"ephemeral0": "sdq"}),
    config("mounts: swap of the metadata", "", prepare=DISKS, devices={"swap": "xvdc", "ephemeral0": "xvdb"}),
    config("mounts: an alias", "device_aliases: {data: /dev/xvdb}\nmounts: [[data, /data], [data.2, /more]]", prepare=PARTS),
    config("mounts: an alias that is called ephemeral0", "device_aliases: {ephemeral0: /dev/xvdb}", prepare=PARTS),
    config("swap: a size", "swap: {filename: /srv/swap, size: 8M}", prepare=SWAP),
    config("swap: a number and a directory", "swap: {filename: /var/swap/one, size: 8388608}", prepare=SWAP),
    config("swap: auto with a maximum", "swap: {size: auto, maxsize: 8MiB}", prepare=SWAP),
    config("swap: size 0", "swap: {filename: /srv/swap, size: 0}", prepare=SWAP),
    config("swap: a size that is none", "swap: {size: much}", prepare=SWAP),
    config("swap: no mapping", "swap: [1G]", prepare=SWAP),
    config("swap: with mounts", "mounts: [[xvdb, /data]]\nswap: {size: 8M}", prepare=DISKS + SWAP),
]

#!/bin/sh
# The first process of a guest: its root is this machine's, read-only, with memory laid over what must be written.
# Beside this file lie `job`, the command to run, and `checkout`, the directory it runs in; what it says goes to the
# console, and the guest ends with it.
here=${0%/*}
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/shm
job=$(cat "$here/job")
checkout=$(cat "$here/checkout")
for directory in /dev/shm /run /tmp /mnt /var/lib/nfs /var/lib/samba /var/cache /var/log; do
    [ ! -d "$directory" ] || mount -t tmpfs none "$directory"
done
# A checkout that lies where memory was laid over is seen through it.
[ -d "$checkout" ] || {
    mkdir -p /dev/shm/host "$checkout"
    mount --bind / /dev/shm/host
    mount --bind "/dev/shm/host$checkout" "$checkout"
}
ip link set lo up

# The kernel looks for its modules where Debian's package for guests does not put them.
release=$(uname -r)
mkdir -p /run/modules/lib/modules
ln -s "/usr/lib/uml/modules/$release" "/run/modules/lib/modules/$release"
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/modules "$@"\n' >/run/modprobe
chmod +x /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
for module in nfsd nfsv4 cifs; do /run/modprobe "$module"; done

sh -c "$job"
echo "GUEST ENDED WITH $?"
sync
exec busybox poweroff -f

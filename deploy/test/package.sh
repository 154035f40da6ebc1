# Sourced by deploy/test/run: the Debian package and the units in it.

say "what building and installing the package needs"
need debootstrap=debootstrap lintian=lintian dpkg-shlibdeps=dpkg-dev xz=xz-utils curl=curl systemd-nspawn=systemd-container

# A root of Debian 12 with nothing but what is essential, and one with systemd in it: each a tar file, kept.
bare=$kept/debian-12.tar
booting=$kept/debian-12-systemd.tar
make_roots() {
    if [ -e "$bare" ] && [ -e "$booting" ]; then return; fi
    local root=$work/made
    debootstrap --variant=minbase bookworm "$root" || return 1
    # Whatever debootstrap left of its own is no part of an installation.
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/debootstrap
    tar -C "$root" -cf "$bare.new" . && mv "$bare.new" "$bare"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    chroot "$root" apt-get update -q || return 1
    DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -q -y --no-install-recommends systemd systemd-sysv || return 1
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    tar -C "$root" -cf "$booting.new" . && mv "$booting.new" "$booting"
    rm -rf --one-file-system "$root"
}
# The network is slow where the compiler is busy.
set -m
(make_roots) >"$work/debootstrap.log" 2>&1 &
making=$!
set +m
started+=("$making")

say "the package"
package=$(tools/package --profile dev --output "$work") || fail "tools/package failed"
version=$(dpkg-deb -f "$package" Version)
# What an older one is to dpkg: the same with a lower number, and another unit, which the upgrade has to replace.
dpkg-deb -R "$package" "$work/older"
sed -i 's/^Version: .*/Version: 0.0.9-1/' "$work/older/DEBIAN/control"
sed -i 's/^Description=.*/Description=An older Cerrojo/' "$work/older/usr/lib/systemd/system/cerrojo.service"
older=$work/cerrojo_0.0.9-1.deb
dpkg-deb -Znone -b "$work/older" "$older" >/dev/null

say "lintian"
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$package" || fail "lintian has something to say about $package"

wait "$making" || { cat "$work/debootstrap.log" >&2; fail "no root of Debian 12 could be made"; }
started=()

. deploy/test/unit.sh
. deploy/test/installed.sh
. deploy/test/booted.sh

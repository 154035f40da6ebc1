# Sourced by deploy/test/package.sh: what systemd thinks of the units.

say "units"
root=$work/units
mkdir "$root"
tar -C "$root" -xf "$booting"
cp "$package" "$root/package.deb"
chroot "$root" dpkg -i /package.deb >/dev/null 2>"$work/dpkg.log" || { cat "$work/dpkg.log" >&2; fail "the package does not install beside systemd"; }
told=$(chroot "$root" systemd-analyze verify --man=no cerrojo.service cerrojo.socket 2>&1) || fail "systemd-analyze verify: $told"
equal "" "$told" "systemd-analyze verify has something to say"
# Tenths of what systemd calls exposure: 100 is a unit without any protection.
chroot "$root" systemd-analyze security --offline=yes --threshold=13 --no-pager cerrojo.service >"$work/security" ||
    { cat "$work/security"; fail "the unit is more exposed than it was"; }
tail -n 1 "$work/security"
rm -rf --one-file-system "$root"

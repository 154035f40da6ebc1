# Sourced by deploy/test/package.sh: the same under a systemd that runs, in a container of systemd-nspawn with a network of
# its own: that installing starts the service as hardened as the unit says, and that an upgrade restarts it.

say "under systemd"
root=$work/booted
mkdir "$root"
tar -C "$root" -xf "$booting"
cp "$older" "$root/older.deb"
cp "$package" "$root/package.deb"
cp deploy/test/inside "$root/inside"
cat >"$root/etc/systemd/system/inside.service" <<'UNIT'
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'bash /inside >/told 2>&1; echo "$?" >/status; systemctl --force --force poweroff'
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../inside.service "$root/etc/systemd/system/multi-user.target.wants/inside.service"

# In a scope of no other systemd: there may be none on this machine.
set -m
systemd-nspawn --quiet --register=no --keep-unit --private-network --machine="cerrojo-$$" -D "$root" --boot --console=pipe \
    </dev/null >"$work/booted.log" 2>&1 &
container=$!
set +m
started=("$container")
for _ in $(seq 600); do
    kill -0 "$container" 2>/dev/null || break
    sleep 0.2
done
if kill -0 "$container" 2>/dev/null; then
    cat "$work/booted.log" "$root/told" >&2
    fail "the container was not done after two minutes"
fi
wait "$container" || true
started=()
if [ "$(cat "$root/status" 2>/dev/null)" != 0 ]; then
    cat "$work/booted.log" "$root/told" >&2
    fail "the package does not do under systemd what it should"
fi
rm -rf --one-file-system "$root"

# Sourced by deploy/test/package.sh: installed, upgraded, removed and purged in a root that has no systemd.

say "a bare root"
root=$work/root
mkdir "$root"
tar -C "$root" -xf "$bare"
cp "$older" "$root/older.deb"
cp "$package" "$root/package.deb"
# As a user logs in: what stands in this script's environment is nobody's there.
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
as_cerrojo() { inside runuser -u cerrojo -- "$@"; }
dpkg_does() { inside dpkg "$@" >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log" >&2; fail "dpkg $* failed"; }; }
# Everything there is but what dpkg and the machine's list of users write down for themselves.
files() {
    (cd "$root" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/cache -o -path ./run \) -prune -o \
        ! -path './etc/passwd*' ! -path './etc/shadow*' ! -path './etc/group*' ! -path './etc/gshadow*' ! -path './etc/sub?id*' \
        ! -path ./etc/.pwd.lock -printf '%p %u %g %m\n' | sort)
}
mode_of() { (cd "$root" && stat -c '%a' ".$1") && inside stat -c '%U:%G' "$1"; }
is_mode() { equal "$2" "$(mode_of "$1" | tr '\n' ' ' | sed 's/ $//')" "$1"; }
nothing_is_nobodys() {
    equal "" "$(inside find / -xdev \( -nouser -o -nogroup \) -print)" "files without an owner"
    equal "" "$(inside find /var/lib/cerrojo ! -user cerrojo -print)" "files under /var/lib/cerrojo that the server cannot have"
}

# The server as its unit starts it: that line, user, folder and mask.
server=
serve() {
    local line
    line=$(sed -n 's/^ExecStart=//p' "$root/usr/lib/systemd/system/cerrojo.service")
    : >"$work/server.log"
    set -m
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot --userspec=cerrojo:cerrojo "$root" \
        /bin/sh -c "cd /var/lib/cerrojo && umask 0077 && exec $line" >>"$work/server.log" 2>&1 &
    server=$!
    set +m
    started=("$server")
    for _ in $(seq 200); do
        url=$(sed -n 's#.*listening on \(http://[0-9.:]*\).*#\1#p' "$work/server.log")
        if [ -n "$url" ]; then return; fi
        kill -0 "$server" 2>/dev/null || { cat "$work/server.log" >&2; fail "the server ended"; }
        sleep 0.1
    done
    cat "$work/server.log" >&2
    fail "the server was not there after 20 s"
}
stop() {
    kill -TERM "$server"
    wait "$server" || fail "the server did not end cleanly"
    started=()
}

# What an application does: the status of the answer, and the token in it.
status_of() { curl -s -o "$work/answer" -w '%{http_code}' --max-time 10 "$@"; }
sign_in() {
    equal 200 "$(status_of -H 'Content-Type: application/json' -d '{"email":"ana@example.com","password":"tormenta verde 27"}' \
        "$url/api/auth/login")" "signing in"
    token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' "$work/answer")
    [ -n "$token" ] || fail "no token in the answer"
}
# is STATUS TOKEN: what a token is worth.
is() { local status; status=$(status_of -H "Authorization: Bearer $2" "$url/api/auth/profile") || { cat "$work/server.log" >&2; fail "the server does not answer"; }; equal "$1" "$status" "a token"; }

before=$(files)
dpkg_does -i /older.deb
equal "cerrojo:/var/lib/cerrojo:/usr/sbin/nologin" "$(inside getent passwd cerrojo | cut -d: -f1,6,7)" "the user"
is_mode /etc/cerrojo "750 root:cerrojo"
is_mode /etc/cerrojo/cerrojo.toml "640 root:cerrojo"
is_mode /var/lib/cerrojo "700 cerrojo:cerrojo"
is_mode /usr/bin/cerrojo "755 root:root"
must "the unit is enabled" test -L "$root/etc/systemd/system/multi-user.target.wants/cerrojo.service"
must "the socket is not" test ! -e "$root/etc/systemd/system/sockets.target.wants/cerrojo.socket"
for page in cerrojo.1 cerrojo-user-add.1 cerrojo-db-restore.1; do must "a manual page" gzip -t "$root/usr/share/man/man1/$page.gz"; done
must "the settings' manual page" gzip -t "$root/usr/share/man/man5/cerrojo.toml.5.gz"
must "bash completes" bash -c '. "$1" && complete -p cerrojo' bash "$root/usr/share/bash-completion/completions/cerrojo" >/dev/null
must "zsh completes" grep -q '^#compdef cerrojo' "$root/usr/share/zsh/vendor-completions/_cerrojo"
must "fish completes" grep -q '^complete -c cerrojo' "$root/usr/share/fish/vendor_completions.d/cerrojo.fish"
must "the settings that come with it are right" as_cerrojo cerrojo config check >/dev/null
is_mode /root "700 root:root"
must "they are found from root's own folder" inside sh -c 'cd /root && exec runuser -u cerrojo -- cerrojo config check' >/dev/null
nothing_is_nobodys

say "the server in it"
# What an operator changes, and a free port for the test.
sed -i -e 's/^listen = .*/listen = "127.0.0.1:0"/' -e 's/^#public_url = .*/public_url = "https:\/\/auth.example.com"/' \
    "$root/etc/cerrojo/cerrojo.toml"
said=$(echo 'tormenta verde 27' | inside cerrojo user add --email ana@example.com --name Ana --password-stdin 2>&1) &&
    fail "root may write where the server's files are"
[[ $said == *"runuser -u cerrojo -- cerrojo"* ]] || fail "root is not told what to do instead: $said"
nothing_is_nobodys
echo 'tormenta verde 27' | as_cerrojo cerrojo user add --email ana@example.com --name Ana --role admin --password-stdin >"$work/added" 2>&1 ||
    fail "no user can be added before the first start"
serve
sign_in
over=$token
equal 200 "$(status_of -X POST -H "Authorization: Bearer $over" "$url/api/auth/logout")" "signing out"
sign_in
earlier=$token
is 401 "$over"
is 200 "$earlier"
is_mode /var/lib/cerrojo/cerrojo.db "600 cerrojo:cerrojo"
is_mode /var/lib/cerrojo/master.key "600 cerrojo:cerrojo"
as_cerrojo cerrojo user list | grep -q ana@example.com || fail "commands do not work beside the server"
nothing_is_nobodys

say "the upgrade"
settings=$(cat "$root/etc/cerrojo/cerrojo.toml")
chmod 0440 "$root/etc/cerrojo/cerrojo.toml"
# The old server goes on while dpkg works.
dpkg_does -i /package.deb
is 200 "$earlier"
equal "$version" "$(inside dpkg-query -W -f '${Version}' cerrojo)" "the version that is installed"
must "the unit is the new one" grep -q '^Description=Cerrojo,' "$root/usr/lib/systemd/system/cerrojo.service"
equal "$settings" "$(cat "$root/etc/cerrojo/cerrojo.toml")" "the settings after the upgrade"
is_mode /etc/cerrojo/cerrojo.toml "440 root:cerrojo"
stop
serve
is 200 "$earlier"
is 401 "$over"
sign_in
is 200 "$token"
nothing_is_nobodys
stop

say "removing and purging"
dpkg_does -r cerrojo
must "the program is gone" test ! -e "$root/usr/bin/cerrojo"
must "the data are not" test -s "$root/var/lib/cerrojo/cerrojo.db"
must "nor is the master key" test -s "$root/var/lib/cerrojo/master.key"
equal "$settings" "$(cat "$root/etc/cerrojo/cerrojo.toml")" "the settings after removing"
dpkg_does -i /package.deb
is_mode /etc/cerrojo/cerrojo.toml "440 root:cerrojo"
serve
is 200 "$earlier"
is 401 "$over"
stop
touch "$root/etc/cerrojo/database-url"
dpkg_does -P cerrojo
equal "" "$(diff <(echo "$before") <(files))" "what a purge leaves"
equal "" "$(inside find / -xdev \( -user cerrojo -o -group cerrojo \) -print)" "files of the user's after a purge"
must "the user stays, for whatever it owns elsewhere" inside getent passwd cerrojo >/dev/null
rm -rf --one-file-system "$root"

# Sourced by deploy/test/run: the Containerfile and the compose file. No engine builds or starts anything here.

say "what looks over the Containerfile and the compose file"
. deploy/test/python.sh

say "Containerfile"
"$python/bin/hadolint" --failure-threshold style deploy/container/Containerfile || fail "hadolint has something to say"
# What the image is built from is enough: Cargo finds every member of the workspace in it.
context=$work/context
mkdir "$context"
while read -r path; do
    must "$path, which .containerignore names, is there" test -e "$path"
    mkdir -p "$context/$(dirname "$path")"
    cp -r "$path" "$context/$path"
done < <(sed -n 's/^!//p' .containerignore)
cargo metadata --offline --locked --no-deps --format-version 1 --manifest-path "$context/Cargo.toml" >/dev/null ||
    fail "the workspace is not whole in what .containerignore lets into the image's build"
for path in $(sed -n 's#^COPY \(LICENSE.*\) /usr.*#\1#p' deploy/container/Containerfile); do
    must "the image's licences are in the build" test -e "$context/$path"
done

say "compose file"
compose() { "$python/bin/docker-compose" --project-directory "$work/compose" -f "$work/compose/compose.yaml" "$@"; }
cp -r deploy/compose "$work/compose"
rm -rf "$work/compose/secrets"
"$work/compose/make-secrets" >/dev/null
compose config --quiet || fail "docker-compose has something to say"
compose config --format json >"$work/compose.json"
"$python/bin/python" deploy/test/compose.py "$work/compose.json" "$work/compose" "$cerrojo" || fail "the compose file does not fit the server"
before=$(cat "$work"/compose/secrets/*)
"$work/compose/make-secrets" >/dev/null
equal "$before" "$(cat "$work"/compose/secrets/*)" "secrets that are there stay"

say "nginx in front of the nodes"
nginx=$(tools/nginx-for-tests)
cat >"$work/nginx.conf" <<NGINX
pid $work/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    include $work/nodes.conf;
}
NGINX
# There are no such names here, and the port may be taken.
sed -e 's/node-[12]:4000/127.0.0.1:4000/' -e "s#listen 8080#listen unix:$work/nginx.socket#" deploy/compose/nginx.conf >"$work/nodes.conf"
"$nginx" -t -c "$work/nginx.conf" >"$work/nginx.log" 2>&1 || { cat "$work/nginx.log" >&2; fail "nginx refuses deploy/compose/nginx.conf"; }

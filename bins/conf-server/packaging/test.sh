#!/bin/sh
# test.sh PACKAGE FOLDER: installs the package in a copy of FOLDER/base and starts it there. Runs as
# root in namespaces of its own for network and mounts, made by `cargo xtask test dist`.
set -eu
root=$2/root
rm -rf "$root"
cp -a "$2/base" "$root"
cp "$1" "$root/package.deb"
ip link set lo up
mount -t proc proc "$root/proc"
chroot "$root" dpkg --install /package.deb
chroot "$root" conf-server --version
chroot --userspec=conf:conf "$root" conf-server check --config /etc/conf/conf.toml
chroot --userspec=conf:conf "$root" conf-server serve --config /etc/conf/conf.toml >"$2/serve.log" 2>&1 &
server=$!
answer=
for _ in $(seq 100); do
    answer=$(bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080 && printf "GET /ready HTTP/1.0\r\n\r\n" >&3 && cat <&3' 2>/dev/null) && break
    sleep 0.1
done
echo "$answer" | grep -q '^ready' || { cat "$2/serve.log"; echo "it does not answer"; exit 1; }
# `chroot` becomes the program, which keeps its process id.
kill -TERM "$server"
wait "$server" || { cat "$2/serve.log"; echo "it does not end well"; exit 1; }
chroot "$root" stat -c "%a %U %n" /var/lib/conf /var/lib/conf/secrets.toml
chroot "$root" dpkg --purge conf-server
[ ! -e "$root/var/lib/conf" ]
umount "$root/proc"
rm -rf "$root"
echo "the package installs, checks, starts, answers, stops and goes"

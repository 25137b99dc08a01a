#!/bin/sh
# Unpacks into a folder what distroless cc for Debian 13 is made of. Runs in a Debian 13 with network.
set -eu
root=$1

# The lists of distroless (static, base, cc). ca-certificates gives its certificates only, as there.
packages="base-files netbase tzdata tzdata-legacy media-types
  libc6 libssl3t64 libzstd1 zlib1g
  libgomp1 libstdc++6 libgcc-s1 gcc-14-base"

mkdir -p /debs "$root/var/lib/dpkg/status.d"
apt-get update
cd /debs
# shellcheck disable=SC2086 # a list
apt-get download $packages ca-certificates

# base-files first: it makes /lib and /bin links into /usr.
for deb in base-files_*.deb ./*.deb; do
  name=$(dpkg-deb --field "$deb" Package)
  # Scanners find packages without a dpkg by these.
  dpkg-deb --field "$deb" >"$root/var/lib/dpkg/status.d/$name"
  dpkg-deb --ctrl-tarfile "$deb" | tar -xO ./md5sums >"$root/var/lib/dpkg/status.d/$name.md5sums"
  [ "$name" = ca-certificates ] || dpkg-deb --extract "$deb" "$root"
done
mkdir -p /certificates "$root/etc/ssl/certs" "$root/usr/share/doc/ca-certificates"
dpkg-deb --extract ca-certificates_*.deb /certificates
cat /certificates/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
cp /certificates/usr/share/doc/ca-certificates/copyright "$root/usr/share/doc/ca-certificates/"

cat >"$root/etc/passwd" <<'END'
root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
END
cat >"$root/etc/group" <<'END'
root:x:0:
nobody:x:65534:
tty:x:5:
staff:x:50:
nonroot:x:65532:
END
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
rm -f "$root/etc/os-release"
cat >"$root/usr/lib/os-release" <<'END'
PRETTY_NAME="Stand-in for Distroless"
NAME="Debian GNU/Linux"
ID="debian"
VERSION_ID="13"
VERSION="Debian GNU/Linux 13 (trixie)"
END
ln -s ../usr/lib/os-release "$root/etc/os-release"
install -d -m 700 "$root/root"
install -d -m 700 -o 65532 -g 65532 "$root/home/nonroot"
install -d -m 1777 "$root/tmp"

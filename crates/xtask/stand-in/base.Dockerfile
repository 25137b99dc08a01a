# Debian 13 as debootstrap made it: what the other stand-ins are built on.
FROM scratch
ADD debian.tar /
CMD ["/bin/sh"]

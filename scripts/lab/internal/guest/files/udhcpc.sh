#!/bin/sh
# What udhcpc calls with its event in $1 and the lease in the environment.
. /etc/say.sh
nic=$interface
state=/run/guest/$nic
mac=$(cat "/sys/class/net/$nic/address")

list() { echo "$*" | tr -s ' ' ','; }

lease() {
	echo "nic=$nic mac=$mac ip=$ip mask=$mask router=$(list $router) dns=$(list $dns)" \
		"domain=$(list $domain) search=$(list $search) ntp=$(list $ntpsrv) mtu=$mtu" \
		"routes=$(list $staticroutes) lease=$lease server=$serverid"
}

configure() {
	ip addr flush dev "$nic" scope global
	ip addr add "$ip/$mask" brd + dev "$nic"
	[ -z "$mtu" ] || ip link set "$nic" mtu "$mtu"
	metric=$(cat "/sys/class/net/$nic/ifindex")
	for gateway in $router; do
		ip route replace default via "$gateway" dev "$nic" metric "$metric"
		break
	done
}

case $1 in
deconfig)
	ip addr flush dev "$nic" scope global
	if [ -e "$state.lease" ]; then
		rm -f "$state.lease"
		say lost nic="$nic" mac="$mac" ip="$(cat "$state.last")"
	fi
	;;
bound | renew)
	last=
	[ ! -e "$state.last" ] || last=$(cat "$state.last")
	kind=bound
	[ "$1" = bound ] || kind=renewed
	[ -z "$last" ] || [ "$last" = "$ip" ] || kind=changed
	[ "$1 $last" = "renew $ip" ] || configure
	echo "$ip" >"$state.last"
	lease >"$state.lease"
	say $kind $(lease) previous="$last"
	;;
nak) say nak nic="$nic" mac="$mac" server="$serverid" message="$(echo "$message" | tr -s ' ' '_')" ;;
leasefail) say failed nic="$nic" mac="$mac" ;;
esac

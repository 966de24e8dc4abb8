#!/bin/sh
# What the light guests' DHCP clients call, and networkd.sh for systemd-networkd:
# udhcpc with its event in $1, the others with theirs in $reason. It configures
# the NIC for those that do not and writes the lines that guest.ParseConsole
# reads.
dir=@DIR@
nic=$interface
mac=$(cat "/sys/class/net/$nic/address")

list() { echo "$*" | tr -s ' ' ','; }

# bits MASK: how many a dotted mask has, which is what the others count in.
bits() {
	left=$1. n=0
	while [ "$left" != "" ]; do
		octet=${left%%.*}
		left=${left#*.}
		while [ "${octet:-0}" -gt 0 ]; do
			n=$((n + octet % 2))
			octet=$((octet / 2))
		done
	done
	echo "$n"
}

say() {
	event=$1
	shift
	read -r up rest </proc/uptime
	echo "freehold-guest event=$event nic=$nic mac=$mac $* uptime=$up;" >>"$dir/events"
}

lease() {
	last=
	[ ! -e "$dir/last" ] || last=$(cat "$dir/last")
	kind=$1
	[ -z "$last" ] || [ "$last" = "$ip" ] || kind=changed
	if [ -z "$configures" ] && [ "$kind $last" != "renewed $ip" ]; then
		ip addr flush dev "$nic" scope global
		ip addr add "$ip/$mask" brd + dev "$nic"
		for gateway in $router; do
			ip route replace default via "$gateway" dev "$nic"
			break
		done
	fi
	echo "$ip" >"$dir/last"
	: >"$dir/held"
	say "$kind" "ip=$ip mask=$mask router=$(list $router) dns=$(list $dns) domain=$(list $domain)" \
		"search=$(list $search) ntp=$(list $ntpsrv) mtu=$mtu lease=$lease server=$serverid previous=$last"
}

lost() {
	[ -n "$configures" ] || ip addr flush dev "$nic" scope global
	if [ -e "$dir/held" ]; then
		rm -f "$dir/held"
		say lost "ip=$(cat "$dir/last")"
	fi
}

if [ -n "$reason" ]; then
	ip=$new_ip_address mask=$(bits "$new_subnet_mask") router=$new_routers dns=$new_domain_name_servers
	domain=$new_domain_name search=$new_domain_search ntpsrv=$new_ntp_servers mtu=$new_interface_mtu
	lease=$new_dhcp_lease_time serverid=$new_dhcp_server_identifier
fi
configures=@CONFIGURES@ # not empty: the client configures the NIC itself
case ${reason:-$1} in
PREINIT) ip link set "$nic" up ;;
bound | BOUND | REBOOT) lease bound ;;
renew | RENEW | REBIND) lease renewed ;;
deconfig | EXPIRE | RELEASE | STOP | STOPPED) lost ;;
nak | NAK) say nak "server=$serverid" ;;
leasefail | FAIL) say failed ;;
esac
exit 0

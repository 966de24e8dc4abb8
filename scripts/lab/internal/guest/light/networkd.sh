#!/bin/sh
# Runs systemd-networkd as a light guest's DHCP client, without systemd, bus or
# udev: with /sys read only it takes links as it finds them. It calls no hook.
# What it achieves is seen in the addresses of the NIC, as the kernel tells of
# them, with the lease that networkd keeps in a file, and told to lease.sh.
dir=@DIR@
nic=@NIC@
state=/run/systemd/netif

tell() { reason=$1 interface=$nic sh "$dir/lease.sh"; }

# value KEY: what networkd's lease says of it.
value() { sed -n "s/^$1=//p" "$state/leases/$(cat "/sys/class/net/$nic/ifindex")"; }

# lease ADDRESS: the address was configured, or its lifetime was set anew.
lease() {
	# networkd writes its lease after its answer from the kernel is under way,
	# and before it sleeps again.
	while read -r pid name doing rest <"/proc/$(cat "$dir/networkd.pid")/stat"; do
		case $doing in R | D) sleep 0.02 ;; *) break ;; esac
	done
	[ "$(value ADDRESS)" = "$1" ] || return 0 # nobody's lease, or one that is gone already
	kind=RENEW
	[ -e "$dir/held" ] || kind=BOUND
	new_ip_address=$1 new_subnet_mask=$(value NETMASK) new_routers=$(value ROUTER) \
		new_domain_name_servers=$(value DNS) new_domain_name=$(value DOMAINNAME) \
		new_domain_search=$(value DOMAIN_SEARCH_LIST) new_ntp_servers=$(value NTP) \
		new_interface_mtu=$(value MTU) new_dhcp_lease_time=$(value LIFETIME) \
		new_dhcp_server_identifier=$(value SERVER_ADDRESS) \
		reason=$kind interface=$nic sh "$dir/lease.sh"
}

# addresses reads what `ip monitor` says.
addresses() {
	while read -r line; do
		: >"$dir/watching"
		set -- $line
		gone=
		[ "$1" != Deleted ] || { gone=yes && shift; }
		[ "$2 $3" = "$nic inet" ] || continue
		if [ -z "$gone" ]; then
			lease "${4%/*}"
		elif [ "${4%/*}" = "$(cat "$dir/last" 2>/dev/null)" ]; then
			tell EXPIRE
		fi
	done
}

# messages reads what networkd prints, for what shows in no address. A round is
# as many DISCOVERs, of which each is waited for twice as long as the last.
messages() {
	round=3 sent=0
	while read -r line; do
		echo "$line"
		case $line in
		*"DHCPv4 client: ACK"* | *"DHCPv4 client: OFFER"*) sent=0 ;;
		*"DHCPv4 client: NAK"*) tell NAK ;;
		*"DHCPv4 client: DISCOVER"*)
			[ $((sent % round)) != 0 ] || [ $sent = 0 ] || tell FAIL
			sent=$((sent + 1))
			;;
		esac
	done
}

mount -o remount,bind,ro /sys || exit
mkdir -p /run/systemd/network
cat >"/run/systemd/network/10-$nic.network" <<END
[Match]
Name=$nic
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
LLDP=no
[DHCPv4]
UseMTU=yes
# One client identifier for all, as machines made from one image have it.
DUIDType=vendor
DUIDRawData=00:00:ab:11:66:72:65:65:68:6f:6c:64
IAID=1
END

rm -f "$dir/watching"
ip -4 -o monitor address | addresses &
# The loopback's notices tell when the monitor listens.
until [ -e "$dir/watching" ]; do
	ip addr replace 127.0.0.2/8 dev lo
	sleep 0.05
done
SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console \
	sh -c 'echo $$ >"$1"; exec @NETWORKD@' sh "$dir/networkd.pid" 2>&1 | messages

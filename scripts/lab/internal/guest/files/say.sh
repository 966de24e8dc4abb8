# say EVENT KEY=VALUE...: one line for machines on the serial console, written
# at once so that two NICs cannot mix theirs. Its reader is guest.ParseConsole,
# which takes a line only when it has the semicolon a torn one lacks.
say() {
	event=$1
	shift
	read -r up rest </proc/uptime
	echo "freehold-guest event=$event $* uptime=$up;" >/dev/console
}

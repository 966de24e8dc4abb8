package dhcp

import (
	"encoding/binary"
	"net/netip"
)

// sum adds b to a one's complement sum (RFC 1071) without folding it. An odd
// last byte counts as the high half of a word, so only the last piece of a
// message may have an odd length.
func sum(acc uint32, b []byte) uint32 {
	for len(b) >= 2 {
		acc += uint32(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		acc += uint32(b[0]) << 8
	}
	return acc
}

// fold brings a sum down to 16 bits. A frame is at most 65535 bytes, so the
// accumulator cannot have overflowed.
func fold(acc uint32) uint16 {
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	return uint16(acc) // folded
}

// pseudoSum is the sum of the UDP pseudo header (RFC 768).
func pseudoSum(src, dst netip.Addr, length int) uint32 {
	s, d := src.As4(), dst.As4()
	acc := sum(sum(0, s[:]), d[:])
	return acc + protoUDP + uint32(length) // at most 65535
}

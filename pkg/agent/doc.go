// Package agent answers DHCP for one pool on one network interface.
//
// It is the shell around package dhcp: it owns the packet sockets, the current
// snapshot, the memory of declined addresses, the snapshot kept on disk and
// the HTTP endpoints. It takes the pool and its leases from a Source, never
// writes them, and goes on answering from what it last knew when the Source
// falls silent, also after a restart of the process.
//
// The packet path takes no lock, writes no log above the debug level and does
// no input or output but its socket.
package agent

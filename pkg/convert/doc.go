// Package convert turns the strings of the API into the values of the core and
// back. It is the only place that does, so an address, a MAC address, a prefix
// or a name has many spellings outside and one inside: addresses are unmapped
// and without a zone, MAC addresses are bytes, networks are namespace and name.
//
// Everything that can be said of an object by looking at nothing but itself is
// said here, all of it at once, with the path of the field, its value and what
// to write instead. Rules that need other objects are the webhook's. No function
// logs, waits or keeps its arguments, and none panics whatever it is given.
package convert

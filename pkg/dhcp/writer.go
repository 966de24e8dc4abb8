package dhcp

// writer places options into a reply: into the options field while there is
// room, then, if allowed, into the unused file and sname fields (RFC 2131 4.1).
// An option that fits nowhere is left out and counted.
type writer struct {
	b        []byte
	areas    [3]area // options, file, sname
	overload bool
	used     byte // value of option 52
	omitted  int
	tail     [2]Option // written last, room for them is kept
}

// area is a field of the message that holds options; one byte of it is kept
// for the end option.
type area struct{ at, end int }

func (a area) room() int { return a.end - a.at - 1 }

// overloadLen is the room option 52 needs; it is kept free while it may be
// needed.
const overloadLen = 3

func newWriter(b []byte, limit int, overload bool) *writer {
	w := &writer{b: b, overload: overload}
	w.areas = [3]area{
		{offOptions, min(limit, len(b))},
		{offFile, offFile + fileLen},
		{offSname, offSname + snameLen},
	}
	if overload {
		w.areas[0].end -= overloadLen
	}
	return w
}

// encodedLen is the length of an option in pieces of at most 255 bytes.
func encodedLen(value []byte) int {
	pieces := max(1, (len(value)+254)/255)
	return 2*pieces + len(value)
}

// reserve keeps room for an option that is echoed at the end. Nothing is kept
// for an absent one.
func (w *writer) reserve(code byte, value []byte) {
	if len(value) == 0 {
		return
	}
	slot := &w.tail[0]
	if code == optRelayInfo {
		slot = &w.tail[1] // RFC 3046 2.1: last of all
	}
	*slot = Option{Code: code, Value: value}
	// What must be sent is at most 33 bytes before the options that may be
	// left out; if the echoes leave less, the message grows past the
	// client's limit rather than lose what identifies it.
	const mandatory = 40
	need := encodedLen(value)
	w.areas[0].end -= need
	if short := mandatory - w.areas[0].room(); short > 0 {
		w.areas[0].end += short
	}
}

// must writes an option for which room is certain.
func (w *writer) must(code byte, value ...byte) {
	w.put(&w.areas[0], code, value)
}

// add writes an option where it fits.
func (w *writer) add(code byte, value []byte) {
	need := encodedLen(value)
	if need <= w.areas[0].room() {
		w.put(&w.areas[0], code, value)
		return
	}
	if w.overload {
		for i := 1; i < len(w.areas); i++ {
			if need <= w.areas[i].room() {
				w.put(&w.areas[i], code, value)
				w.used |= byte(i)
				return
			}
		}
	}
	w.omitted++
}

// put writes an option, in pieces if it is long (RFC 3396).
func (w *writer) put(a *area, code byte, value []byte) {
	for {
		n := min(len(value), 255)
		w.b[a.at], w.b[a.at+1] = code, byte(n) // at most 255
		a.at += 2 + copy(w.b[a.at+2:], value[:n])
		if value = value[n:]; len(value) == 0 {
			return
		}
	}
}

// finish writes what comes last and returns the length of the message.
func (w *writer) finish() int {
	if w.used != 0 {
		w.must(optOverload, w.used)
	}
	for i := 1; i < len(w.areas); i++ {
		if w.used&byte(i) != 0 {
			w.b[w.areas[i].at] = optEnd
		}
	}
	for _, o := range w.tail {
		if o.Code != 0 {
			w.put(&w.areas[0], o.Code, o.Value)
		}
	}
	w.b[w.areas[0].at] = optEnd
	return max(w.areas[0].at+1, minReplyLen)
}

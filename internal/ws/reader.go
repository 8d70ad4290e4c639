package ws

import "unicode/utf8"

// reader takes messages out of what a peer sends. It holds a buffer only from the first byte of a frame until the
// messages in it have been handed out, and grows it only with what has really come. It belongs to one goroutine.
type reader struct {
	client bool // this side dialed: the peer must not mask
	limit  int  // of a message, bytes
	fill   func(*reader) error
	// control is told every ping and pong.
	control func(op byte, payload []byte)

	buf        []byte // its length is its capacity; nil: nothing is buffered
	next, have int    // buf[next:have] was received and is to be parsed
	op         byte   // of the message whose frames are coming; 0: of none
	start, end int    // buf[start:end] is that message as far as it came, before next
}

// begin puts what was received before the first read.
func (r *reader) begin(early []byte) {
	if len(early) > 0 {
		r.buf = takeBuffer(len(early))
		r.have = copy(r.buf, early)
	}
}

// read returns the next message; it is valid until the next read. The error is a *CloseError when the peer said
// goodbye, a *violation when it broke the protocol, and else fill's.
func (r *reader) read() (op byte, msg []byte, err error) {
	r.release()
	for {
		h, size, err := parseHeader(r.buf[r.next:r.have])
		if err == nil && size > 0 {
			err = r.allows(h)
		}
		if err != nil {
			return 0, nil, err
		}
		if size == 0 || r.have-r.next-size < int(h.length) {
			r.makeRoom()
			if err := r.fill(r); err != nil {
				return 0, nil, err
			}
			continue
		}
		at := r.next + size
		payload := r.buf[at : at+int(h.length)]
		r.next = at + len(payload)
		if h.masked {
			mask(payload, h.key)
		}
		switch {
		case h.op == opClose:
			return 0, nil, parseClose(payload)
		case h.control():
			r.control(h.op, payload)
			r.release()
			continue
		case h.op != opContinuation:
			r.op, r.start, r.end = h.op, at, r.next // stays where it is
		default:
			r.end += copy(r.buf[r.end:], payload)
		}
		if h.final {
			return r.message()
		}
	}
}

// allows checks a frame against what came before it.
func (r *reader) allows(h header) error {
	switch {
	case h.masked && r.client:
		return errMasked
	case !h.masked && !r.client:
		return errUnmasked
	case h.control():
		return nil
	case h.op == opContinuation && r.op == 0:
		return errContinuation
	case h.op != opContinuation && r.op != 0:
		return errInterrupted
	case h.length > uint64(r.limit-(r.end-r.start)):
		return ErrTooBig
	}
	return nil
}

// message hands the gathered message out.
func (r *reader) message() (op byte, msg []byte, err error) {
	op, msg = r.op, r.buf[r.start:r.end:r.end]
	r.op, r.start, r.end = 0, r.next, r.next
	if op == opText && !utf8.Valid(msg) {
		return 0, nil, errText
	}
	return op, msg, nil
}

// release gives the buffer back if nothing of it is needed any more.
func (r *reader) release() {
	if r.op == 0 && r.next == r.have {
		giveBuffer(r.buf)
		r.buf, r.next, r.have, r.start, r.end = nil, 0, 0, 0, 0
	}
}

// makeRoom moves what is buffered to the front when the end is reached, and takes a larger buffer when that alone
// does not help much. A message that grows is so copied a few times in all, however small its frames are.
func (r *reader) makeRoom() {
	if r.buf == nil || r.have < len(r.buf) {
		return
	}
	if r.op == 0 {
		r.start, r.end = r.next, r.next
	}
	to, gathered, rest := r.buf, r.end-r.start, r.have-r.next
	largest := max(r.limit, keepBytes) + smallBytes // holds the largest message, a header and a control frame
	if gathered+rest > len(r.buf)*3/4 && len(r.buf) < largest {
		to = takeBuffer(min(2*len(r.buf), largest))
		defer giveBuffer(r.buf)
	}
	if r.start > 0 || len(to) != len(r.buf) {
		copy(to, r.buf[r.start:r.end])
	}
	copy(to[gathered:], r.buf[r.next:r.have])
	r.buf, r.start, r.end, r.next, r.have = to, 0, gathered, gathered, gathered+rest
}

// keepHanded leaves the buffer to whoever uses the message that was handed out last.
func (r *reader) keepHanded() {
	if r.buf != nil {
		kept := make([]byte, len(r.buf))
		copy(kept, r.buf)
		r.buf = kept
	}
}

// drop forgets everything.
func (r *reader) drop() {
	r.op, r.next = 0, r.have
	r.release()
}

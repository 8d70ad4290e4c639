package ws

import "encoding/binary"

// keepAlive runs on the timer: it pings the peer, and ends the connection if the last ping was not answered.
func (w *Conn) keepAlive() {
	w.mu.Lock()
	dead := w.pending
	if !dead && w.err == nil && !w.closing {
		w.pings++
		w.pending = true
		_ = w.write(opPing, binary.BigEndian.AppendUint32(nil, w.pings))
		w.ping.Reset(w.opt.WriteTimeout)
	}
	w.mu.Unlock()
	if dead {
		w.lose(errNoPong)
	}
}

// control takes a ping or pong from the reader.
func (w *Conn) control(op byte, payload []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.closing {
		return
	}
	switch {
	case op == opPing && w.pipe.backlog() <= w.opt.QueueBytes: // a peer that does not read gets no pongs to keep
		_ = w.write(opPong, payload)
	case op == opPong && w.pending && len(payload) == 4 && binary.BigEndian.Uint32(payload) == w.pings:
		w.pending = false
		w.ping.Reset(w.opt.PingEvery)
	}
}

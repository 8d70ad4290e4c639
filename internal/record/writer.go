package record

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/audio"
)

const (
	// ringBytes is how far ahead of the caller's audio the agent's may be known, at most: 4 s. It is sent half a second
	// ahead of its playing.
	ringBytes  = 32 << 10
	blockBytes = 8 << 10 // half a second of both channels
	blocks     = 8       // that wait for the disk at most: after 4 s of a disk that stands still, sound is lost
	// slack is how much the agent's audio may seem to be late or early and still be the continuation of what was before.
	slack = 100 * audio.BytesPerMs
)

// Writer writes one part of a recording. Its clock is the caller's audio: one byte in is one byte of the file's left
// channel. A nil Writer takes everything and keeps nothing. Caller, Agent and Cut belong to one goroutine and never
// wait for the disk; memory is constant.
type Writer struct {
	pos  int64           // bytes of the caller's audio so far
	ring [ringBytes]byte // the agent's audio from pos on
	next int64           // position after the agent's newest byte; 0 = it does not speak
	fill []byte          // block being filled

	lost  int64       // bytes for which there was no block, since the last one
	free  chan []byte // blocks to be filled
	full  chan block
	ended sync.WaitGroup
	stats struct{ written, lost atomic.Int64 }
}

// sink is what a Writer needs of its file.
type sink interface {
	io.Writer
	io.WriterAt
	io.Closer
}

// block is what the disk gets: first some silence, in the place of what was lost, then data.
type block struct {
	silence int64
	data    []byte
}

func newWriter(file sink, onError func(error)) *Writer {
	w := &Writer{free: make(chan []byte, blocks), full: make(chan block, blocks)}
	for i := range w.ring {
		w.ring[i] = audio.Silence
	}
	for range blocks - 1 {
		w.free <- make([]byte, 0, blockBytes)
	}
	w.fill = make([]byte, 0, blockBytes)
	w.ended.Go(func() { w.write(file, onError) })
	return w
}

// Caller takes the caller's next audio: time goes on by as much.
func (w *Writer) Caller(ulaw []byte) {
	if w == nil {
		return
	}
	for _, b := range ulaw {
		at := w.pos % ringBytes
		w.fill = append(w.fill, b, w.ring[at])
		w.ring[at] = audio.Silence
		w.pos++
		if len(w.fill) == blockBytes {
			w.flush()
		}
	}
}

// Agent takes audio of the agent that the caller will hear in some time, counted from the newest audio of the caller.
func (w *Writer) Agent(ulaw []byte, in time.Duration) {
	if w == nil {
		return
	}
	at := w.pos + max(0, in.Milliseconds())*audio.BytesPerMs
	if w.next > w.pos && at-w.next < slack && w.next-at < slack {
		at = w.next
	}
	for i, b := range ulaw {
		if p := at + int64(i); p < w.pos+ringBytes {
			w.ring[p%ringBytes] = b
		}
	}
	w.next = at + int64(len(ulaw))
}

// Cut takes back what the caller would hear of the agent after some time.
func (w *Writer) Cut(in time.Duration) {
	if w == nil {
		return
	}
	from := w.pos + max(0, in.Milliseconds())*audio.BytesPerMs
	for p := from; p < min(w.next, w.pos+ringBytes); p++ {
		w.ring[p%ringBytes] = audio.Silence
	}
	w.next = 0
}

// flush hands the full block to the disk, or drops it when the disk has not written the others.
func (w *Writer) flush() {
	select {
	case empty := <-w.free:
		w.full <- block{w.lost, w.fill} // there are as many places as blocks
		w.fill, w.lost = empty, 0
	default:
		w.lost += int64(len(w.fill))
		w.stats.lost.Add(int64(len(w.fill)))
		w.fill = w.fill[:0]
	}
}

// Close writes what is left and returns how long the part is, and how much of it was lost.
func (w *Writer) Close() (length, lost time.Duration) {
	if w == nil {
		return 0, 0
	}
	w.full <- block{w.lost, w.fill}
	close(w.full)
	w.ended.Wait()
	return fileTime(w.stats.written.Load()), fileTime(w.stats.lost.Load())
}

func fileTime(n int64) time.Duration { return time.Duration(n) * time.Millisecond / bytesPerMs }

// write is the disk's side.
func (w *Writer) write(file sink, onError func(error)) {
	var err error
	put := func(data []byte) {
		if err != nil || len(data) == 0 {
			return
		}
		if _, err = file.Write(data); err != nil {
			onError(err)
			return
		}
		w.stats.written.Add(int64(len(data)))
	}
	for b := range w.full {
		for b.silence > 0 {
			n := min(b.silence, silenceBlock)
			put(silence[:n])
			b.silence -= n
		}
		put(b.data)
		w.free <- b.data[:0]
	}
	if err == nil {
		_, err = file.WriteAt(audio.ULawHeader(channels, w.stats.written.Load()), 0)
		if err = errors.Join(err, file.Close()); err != nil {
			onError(err)
		}
		return
	}
	_ = file.Close() // the first failure was told
}

var silence = func() (s [silenceBlock]byte) {
	for i := range s {
		s[i] = audio.Silence
	}
	return s
}()

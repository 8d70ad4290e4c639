package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"parley/internal/audio"
)

// ErrNone says that there is no recording of a conversation.
var ErrNone = errors.New("no recording")

// Reader reads all parts of a recording as one WAV file, with silence in the place of the time between them. It is an
// io.ReadSeeker of one goroutine; memory is constant. What is written after Open is not seen.
type Reader struct {
	head  []byte
	spans []span
	size  int64
	at    int64
	begun time.Time
}

// span is a stretch of the file: silence, or the audio of one part.
type span struct {
	from, to int64
	file     *os.File // nil = silence
}

// Open opens a recording; ErrNone when there is none. The caller must Close it.
func (f *Folder) Open(orgID, conversationID string) (*Reader, error) {
	found, err := f.parts(orgID, conversationID)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNone
	}
	r := &Reader{begun: found[0].begun, size: audio.ULawHeaderBytes}
	for _, p := range found {
		if err := r.add(p); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	if len(r.spans) == 0 {
		return nil, ErrNone // deleted meanwhile
	}
	r.head = audio.ULawHeader(channels, r.size-audio.ULawHeaderBytes)
	return r, nil
}

func (r *Reader) add(p part) error {
	file, err := os.Open(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the recording: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open the recording: %w", err), file.Close())
	}
	begins := audio.ULawHeaderBytes + min(p.begun.Sub(r.begun), r.length()+maxHole).Milliseconds()*bytesPerMs
	if begins > r.size {
		r.spans = append(r.spans, span{from: r.size, to: begins})
		r.size = begins
	}
	n := max(0, info.Size()-audio.ULawHeaderBytes)
	n -= n % channels // half a sample, when its process was killed
	r.spans = append(r.spans, span{from: r.size, to: r.size + n, file: file})
	r.size += n
	return nil
}

// length is the time of the parts so far.
func (r *Reader) length() time.Duration { return fileTime(r.size - audio.ULawHeaderBytes) }

// Begun is when the recording began.
func (r *Reader) Begun() time.Time { return r.begun }

// Size is the length of the whole file, in bytes.
func (r *Reader) Size() int64 { return r.size }

// Read implements io.Reader.
func (r *Reader) Read(b []byte) (int, error) {
	if r.at >= r.size {
		return 0, io.EOF
	}
	if r.at < audio.ULawHeaderBytes {
		n := copy(b, r.head[r.at:])
		r.at += int64(n)
		return n, nil
	}
	for _, s := range r.spans {
		if r.at >= s.to {
			continue
		}
		b = b[:min(int64(len(b)), s.to-r.at)]
		n, err := s.read(b, r.at-s.from)
		r.at += int64(n)
		return n, err
	}
	return 0, io.EOF
}

// read reads from a place of the span.
func (s span) read(b []byte, at int64) (int, error) {
	if s.file == nil {
		return copy(b, silence[:]), nil
	}
	n, err := s.file.ReadAt(b, at+audio.ULawHeaderBytes)
	if n > 0 {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("recording: seek before its beginning")
	}
	r.at = offset
	return offset, nil
}

// Close closes the files.
func (r *Reader) Close() error {
	var err error
	for _, s := range r.spans {
		if s.file != nil {
			err = errors.Join(err, s.file.Close())
		}
	}
	return err
}

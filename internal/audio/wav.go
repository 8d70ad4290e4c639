package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Limits of a WAV file that is read into memory.
const (
	maxWAVBytes = 256 << 20
	minWAVRate  = 1000
	maxWAVRate  = 384000
)

// Format tags of a WAV file (RFC 2361; extensible: Microsoft's WAVEFORMATEXTENSIBLE).
const (
	tagPCM        = 1
	tagFloat      = 3
	tagULaw       = 7
	tagExtensible = 0xFFFE
)

// remedy ends the message of every WAV that cannot be used.
const remedy = "convert it, for example with: ffmpeg -i input -ac 1 -ar 8000 -c:a pcm_s16le output.wav"

// WAV is a decoded sound file.
type WAV struct {
	Rate     int     // samples per second
	Channels int     // of the file; Samples is their mean
	Samples  []int16 // mono
}

// format is what a fmt chunk says.
type format struct {
	tag      uint16
	channels int
	rate     int
	bits     int
}

// ReadWAV reads a RIFF/WAVE file: PCM of 8, 16, 24 or 32 bits, 32- or 64-bit float, or µ-law, any rate,
// any number of channels, chunks in any order before the data. The error says what to do with a file that is
// something else. A data length of 0 or 2³²−1 (written by programs that stream) means "until the end".
func ReadWAV(r io.Reader) (WAV, error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return WAV{}, errors.New("not a WAV file: it is shorter than a WAV header; " + remedy)
		}
		return WAV{}, fmt.Errorf("reading WAV header: %w", err)
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return WAV{}, errors.New("not a WAV file: it does not begin with RIFF…WAVE; " + remedy)
	}
	var f format
	for {
		id, size, err := readChunkHeader(r)
		if err != nil {
			return WAV{}, err
		}
		switch id {
		case "fmt ":
			if f, err = readFormat(r, size); err != nil {
				return WAV{}, err
			}
		case "data":
			if f.channels == 0 {
				return WAV{}, errors.New("broken WAV file: its data comes before its format; " + remedy)
			}
			data, err := readData(r, size)
			if err != nil {
				return WAV{}, err
			}
			return WAV{Rate: f.rate, Channels: f.channels, Samples: f.mono(data)}, nil
		default:
			if err := skip(r, size); err != nil {
				return WAV{}, err
			}
		}
	}
}

func readChunkHeader(r io.Reader) (id string, size uint32, err error) {
	var h [8]byte
	switch _, err := io.ReadFull(r, h[:]); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "", 0, errors.New("broken WAV file: it ends before any audio data; record or copy it again")
	case err != nil:
		return "", 0, fmt.Errorf("reading WAV chunk: %w", err)
	}
	return string(h[:4]), binary.LittleEndian.Uint32(h[4:]), nil
}

func readFormat(r io.Reader, size uint32) (format, error) {
	if size < 16 || size > 4096 {
		return format{}, fmt.Errorf("broken WAV file: its format chunk has %d bytes; %s", size, remedy)
	}
	b := make([]byte, size+size&1)
	if _, err := io.ReadFull(r, b); err != nil {
		return format{}, errors.New("broken WAV file: it ends in the middle of its format; record or copy it again")
	}
	f := format{
		tag:      binary.LittleEndian.Uint16(b),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.tag == tagExtensible && size >= 26 {
		f.tag = binary.LittleEndian.Uint16(b[24:])
	}
	return f, f.check()
}

func (f format) check() error {
	ok := false
	switch f.tag {
	case tagPCM:
		ok = f.bits == 8 || f.bits == 16 || f.bits == 24 || f.bits == 32
	case tagFloat:
		ok = f.bits == 32 || f.bits == 64
	case tagULaw:
		ok = f.bits == 8
	}
	switch {
	case !ok:
		return fmt.Errorf("WAV file has an encoding that is not supported (format %d, %d bits); %s", f.tag, f.bits, remedy)
	case f.channels < 1 || f.channels > 64:
		return fmt.Errorf("WAV file has %d channels; %s", f.channels, remedy)
	case f.rate < minWAVRate || f.rate > maxWAVRate:
		return fmt.Errorf("WAV file has a rate of %d Hz; %s", f.rate, remedy)
	}
	return nil
}

func readData(r io.Reader, size uint32) ([]byte, error) {
	streamed := size == 0 || size == math.MaxUint32
	limit := int64(size)
	if streamed {
		limit = maxWAVBytes + 1
	}
	if limit > maxWAVBytes && !streamed {
		return nil, fmt.Errorf("WAV file holds %d MiB of audio, more than %d MiB; use a shorter one", limit>>20, maxWAVBytes>>20)
	}
	data, err := io.ReadAll(io.LimitReader(r, limit))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading WAV data: %w", err)
	case len(data) > maxWAVBytes:
		return nil, fmt.Errorf("WAV file holds more than %d MiB of audio; use a shorter one", maxWAVBytes>>20)
	case !streamed && len(data) < int(size):
		return nil, fmt.Errorf("WAV file is truncated: it promises %d bytes of audio and has %d; record or copy it again", size, len(data))
	}
	return data, nil
}

// skip passes over a chunk that says nothing about the sound; chunks are padded to an even length.
func skip(r io.Reader, size uint32) error {
	want := int64(size) + int64(size&1)
	n, err := io.CopyN(io.Discard, r, want)
	if n < want {
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading WAV chunk: %w", err)
		}
		return errors.New("broken WAV file: it ends before any audio data; record or copy it again")
	}
	return nil
}

// mono decodes whole sample groups and takes the mean of their channels.
func (f format) mono(data []byte) []int16 {
	width := f.bits / 8
	step := width * f.channels
	out := make([]int16, len(data)/step)
	for i := range out {
		var sum float64
		for c := range f.channels {
			sum += f.sample(data[i*step+c*width:])
		}
		out[i] = int16(math.Round(sum / float64(f.channels)))
	}
	return out
}

// sample decodes one sample on the scale of 16 bits, within −32768–32767.
func (f format) sample(b []byte) float64 {
	switch {
	case f.tag == tagULaw:
		return float64(decoded[b[0]])
	case f.tag == tagFloat && f.bits == 32:
		return scaled(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	case f.tag == tagFloat:
		return scaled(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case f.bits == 8:
		return float64(int(b[0])-128) * 256
	case f.bits == 16:
		return float64(int16(binary.LittleEndian.Uint16(b)))
	case f.bits == 24:
		return float64(int16(binary.LittleEndian.Uint16(b[1:])))
	default:
		return float64(int16(binary.LittleEndian.Uint16(b[2:])))
	}
}

// scaled maps −1–1 to 16 bits. NaN, which min and max would let through, becomes silence.
func scaled(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return max(-32768, min(32767, v*32768))
}

// WriteWAV writes mono 16-bit PCM samples as a WAV file.
func WriteWAV(w io.Writer, rate int, samples []int16) error {
	size := 2 * len(samples)
	if size > math.MaxUint32-36 {
		return fmt.Errorf("writing WAV: %d samples do not fit into one file", len(samples))
	}
	b := bytes.NewBuffer(make([]byte, 0, 44+size))
	b.WriteString("RIFF")
	le(b, uint32(36+size))
	b.WriteString("WAVEfmt ")
	le(b, uint32(16), uint16(tagPCM), uint16(1), uint32(rate), uint32(2*rate), uint16(2), uint16(16))
	b.WriteString("data")
	le(b, uint32(size), samples)
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing WAV: %w", err)
	}
	return nil
}

// le appends fixed-size values in little-endian order; a bytes.Buffer does not fail.
func le(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		_ = binary.Write(b, binary.LittleEndian, v)
	}
}

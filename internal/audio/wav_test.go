package audio

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// chunk makes a RIFF chunk, padded to an even length.
func chunk(id string, data ...any) []byte {
	var body bytes.Buffer
	le(&body, data...)
	out := binary.LittleEndian.AppendUint32([]byte(id), uint32(body.Len()))
	out = append(out, body.Bytes()...)
	if body.Len()%2 == 1 {
		out = append(out, 0)
	}
	return out
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func fmtChunk(tag, channels, bits int) []byte {
	step := channels * bits / 8
	return chunk("fmt ", uint16(tag), uint16(channels), uint32(16000), uint32(16000*step), uint16(step), uint16(bits))
}

func TestReadWAV(t *testing.T) {
	t.Parallel()
	list := chunk("LIST", []byte("odd"))
	extensible := chunk("fmt ", uint16(tagExtensible), uint16(1), uint32(16000), uint32(32000), uint16(2), uint16(16),
		uint16(22), uint16(16), uint32(4), uint16(tagPCM), [14]byte{})
	streamed := riff(fmtChunk(1, 1, 16), append(binary.LittleEndian.AppendUint32([]byte("data"), math.MaxUint32), 1, 0, 2, 0))
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		file []byte
		want []int16
	}{
		"8 bits":      {riff(fmtChunk(1, 1, 8), chunk("data", []byte{128, 0, 255})), []int16{0, -32768, 127 * 256}},
		"16 bits":     {riff(fmtChunk(1, 1, 16), chunk("data", []int16{1, -2, 32767})), []int16{1, -2, 32767}},
		"24 bits":     {riff(fmtChunk(1, 1, 24), chunk("data", []byte{9, 1, 0, 9, 0xFE, 0xFF})), []int16{1, -2}},
		"32 bits":     {riff(fmtChunk(1, 1, 32), chunk("data", []int32{1 << 16, -2 << 16})), []int16{1, -2}},
		"float":       {riff(fmtChunk(3, 1, 32), chunk("data", []float32{0.5, -1, 7, nan})), []int16{16384, -32768, 32767, 0}},
		"double":      {riff(fmtChunk(3, 1, 64), chunk("data", []float64{-0.5})), []int16{-16384}},
		"µ-law":       {riff(fmtChunk(7, 1, 8), chunk("data", []byte{0xFF, 0x80, 0x00})), []int16{0, 32124, -32124}},
		"stereo":      {riff(fmtChunk(1, 2, 16), chunk("data", []int16{100, 200, -5, 5})), []int16{150, 0}},
		"junk chunks": {riff(list, fmtChunk(1, 1, 16), list, chunk("data", []int16{7}), list), []int16{7}},
		"extensible":  {riff(extensible, chunk("data", []int16{7})), []int16{7}},
		"streamed":    {streamed, []int16{1, 2}},
		"half sample": {riff(fmtChunk(1, 1, 16), chunk("data", []byte{1, 0, 5})), []int16{1}},
	} {
		wav, err := ReadWAV(bytes.NewReader(c.file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if wav.Rate != 16000 || !equal(wav.Samples, c.want) {
			t.Errorf("%s: rate %d, samples %v, want 16000, %v", name, wav.Rate, wav.Samples, c.want)
		}
	}
}

func equal(a, b []int16) bool {
	return len(a) == len(b) && bytes.Equal(chunk("", a), chunk("", b))
}

func TestReadWAVRefuses(t *testing.T) {
	t.Parallel()
	good := riff(fmtChunk(1, 1, 16), chunk("data", []int16{1, 2, 3, 4}))
	for name, c := range map[string]struct {
		file []byte
		says string // the reason and, after the bar, the remedy
	}{
		"empty":          {nil, "shorter than a WAV header|ffmpeg"},
		"text":           {[]byte("this is not a sound file"), "not a WAV file|ffmpeg"},
		"MP3":            {riff(chunk("fmt ", uint16(0x55), uint16(1), uint32(16000), uint32(1), uint16(1), uint16(0))), "format 85|ffmpeg"},
		"12 bits":        {riff(fmtChunk(1, 1, 12)), "12 bits|ffmpeg"},
		"no channel":     {riff(fmtChunk(1, 0, 16)), "0 channels|ffmpeg"},
		"short format":   {riff(chunk("fmt ", uint16(1))), "format chunk has 2 bytes|ffmpeg"},
		"cut format":     {good[:20], "ends in the middle|again"},
		"cut data":       {good[:len(good)-3], "truncated: it promises 8 bytes of audio and has 5|again"},
		"no data":        {riff(fmtChunk(1, 1, 16)), "ends before any audio|again"},
		"data first":     {riff(chunk("data", []int16{1})), "before its format|ffmpeg"},
		"cut junk chunk": {riff(fmtChunk(1, 1, 16), chunk("LIST", []byte("abcd"))[:9]), "ends before any audio|again"},
		"too long":       {riff(fmtChunk(1, 1, 16), append([]byte("data"), 0, 0, 0, 0xF0)), "more than 256 MiB|shorter"},
	} {
		_, err := ReadWAV(bytes.NewReader(c.file))
		reason, remedy, _ := strings.Cut(c.says, "|")
		if err == nil || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), remedy) {
			t.Errorf("%s: error %v, want %q and %q", name, err, reason, remedy)
		}
	}
}

func TestWriteWAVIsRead(t *testing.T) {
	t.Parallel()
	in := sine(440, Rate, 1000, 12000)
	var b bytes.Buffer
	if err := WriteWAV(&b, Rate, in); err != nil {
		t.Fatal(err)
	}
	wav, err := ReadWAV(&b)
	if err != nil {
		t.Fatal(err)
	}
	if wav.Rate != Rate || wav.Channels != 1 || !equal(wav.Samples, in) {
		t.Errorf("came back with rate %d, %d channels, %d samples", wav.Rate, wav.Channels, len(wav.Samples))
	}
}

func FuzzReadWAV(f *testing.F) {
	f.Add(riff(fmtChunk(1, 2, 16), chunk("LIST", []byte("x")), chunk("data", []int16{1, 2})))
	f.Add(riff(fmtChunk(3, 1, 32), chunk("data", []float32{1, 2})))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata"))
	f.Fuzz(func(t *testing.T, file []byte) {
		wav, err := ReadWAV(bytes.NewReader(file))
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		if wav.Rate < minWAVRate || wav.Channels < 1 || len(wav.Samples) > len(file) {
			t.Fatalf("rate %d, %d channels, %d samples from %d bytes", wav.Rate, wav.Channels, len(wav.Samples), len(file))
		}
	})
}

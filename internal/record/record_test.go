package record

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/audio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	org  = "01a20dc3-3edf-7aa6-86ec-a7a89a7cac7b"
	conv = "01a20dc3-3ee2-7e35-af1c-e8e8024625f3"
)

func tone(b byte, ms int) []byte { return bytes.Repeat([]byte{b}, ms*audio.BytesPerMs) }

// sides separates the channels of a WAV file that was read.
func sides(t *testing.T, wav []byte) (caller, agent []byte) {
	t.Helper()
	if _, err := audio.ReadWAV(bytes.NewReader(wav)); err != nil {
		t.Fatal(err)
	}
	for i := audio.ULawHeaderBytes; i+1 < len(wav); i += 2 {
		caller, agent = append(caller, wav[i]), append(agent, wav[i+1])
	}
	return caller, agent
}

func read(t *testing.T, f *Folder) []byte {
	t.Helper()
	r, err := f.Open(org, conv)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	raw, err := io.ReadAll(r)
	if err != nil || int64(len(raw)) != r.Size() {
		t.Fatalf("%d bytes of %d: %v", len(raw), r.Size(), err)
	}
	return raw
}

func fails(t *testing.T) func(error) { return func(err error) { t.Errorf("writing failed: %v", err) } }

// expect checks that a channel holds b from from to to (ms), and silence elsewhere.
func expect(t *testing.T, what string, channel []byte, b byte, from, to int) {
	t.Helper()
	for i, got := range channel {
		want := audio.Silence
		if at := i / audio.BytesPerMs; at >= from && at < to {
			want = b
		}
		if got != want {
			t.Fatalf("%s: %#x at %d ms, want %#x", what, got, i/audio.BytesPerMs, want)
		}
	}
}

func TestBothSidesLieWhereTheyWereHeard(t *testing.T) {
	t.Parallel()
	f := NewFolder(filepath.Join(t.TempDir(), "recordings"))
	w, err := f.Create(org, conv, 1, fails(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 { // 2 s
		if i >= 25 && i < 75 { // one second, sent 160 ms ahead, with jitter
			w.Agent(tone(2, 20), 160*time.Millisecond+time.Duration(rand.IntN(60)-30)*time.Millisecond*min(1, time.Duration(i-25)))
		}
		if i == 60 {
			w.Cut(40 * time.Millisecond) // at 1200 ms: what would be heard from 1240 on is not
			for range 15 {
				w.Caller(tone(1, 20))
			}
			break
		}
		w.Caller(tone(1, 20))
	}
	if length, lost := w.Close(); length != 1500*time.Millisecond || lost != 0 {
		t.Errorf("%v long, %v lost", length, lost)
	}
	caller, agent := sides(t, read(t, f))
	expect(t, "caller", caller, 1, 0, 1500)
	expect(t, "agent", agent, 2, 660, 1240)
	if !f.Exists(org, conv) || f.Exists(org, org) {
		t.Error("Exists is wrong")
	}
	if err := f.Delete(org, conv); err != nil || f.Exists(org, conv) {
		t.Errorf("after the deletion: %v", err)
	}
	if _, err := f.Open(org, conv); !errors.Is(err, ErrNone) {
		t.Errorf("opening what is deleted: %v", err)
	}
}

// TestPartsOfAKilledProcess: the first part was never closed and ends in half a sample; the second began 3 s later.
func TestPartsOfAKilledProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := NewFolder(dir)
	folder := filepath.Join(dir, org, conv)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(name string, body []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), append(audio.ULawHeader(channels, -1), body...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("00000001-1000.wav", tone(3, 2*500)[:2*500*8-1])
	put("00000003-4000.wav", tone(4, 2*500))
	put("notes.txt", nil)
	caller, agent := sides(t, read(t, f))
	if len(caller) != 3500*8 || len(agent) != len(caller) {
		t.Fatalf("%d ms", len(caller)/8)
	}
	expect(t, "the first part", caller[:499*8], 3, 0, 499)
	expect(t, "the time between", caller[500*8:3000*8], 0, 0, 0)
	expect(t, "the second part", caller[3000*8:], 4, 0, 500)
}

func TestRanges(t *testing.T) {
	t.Parallel()
	f := NewFolder(t.TempDir())
	for epoch := range int64(2) {
		w, err := f.Create(org, conv, epoch+1, fails(t))
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 5000)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		w.Caller(b)
		w.Close()
	}
	whole := read(t, f)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec, err := f.Open(org, conv)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = rec.Close() }()
		http.ServeContent(w, r, "x.wav", rec.Begun(), rec)
	}))
	defer srv.Close()
	for range 200 {
		from, n := rand.IntN(len(whole)), 1+rand.IntN(3000)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		req.Header.Set("Range", "bytes="+strconv.Itoa(from)+"-"+strconv.Itoa(from+n-1))
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if want := whole[from:min(len(whole), from+n)]; resp.StatusCode != 206 || !bytes.Equal(got, want) {
			t.Fatalf("%d, %d bytes from %d, want %d", resp.StatusCode, len(got), from, len(want))
		}
	}
}

// disk is a sink that can stand still and fail.
type disk struct {
	bytes.Buffer
	move chan struct{} // a write needs one
	err  error
}

func (d *disk) Write(b []byte) (int, error) {
	if d.move != nil {
		<-d.move
	}
	if d.err != nil {
		return 0, d.err
	}
	return d.Buffer.Write(b)
}
func (d *disk) WriteAt([]byte, int64) (int, error) { return 0, nil }
func (d *disk) Close() error                       { return nil }

// TestSlowDisk: nothing waits for it, memory stays where it is, and what was lost is silence of the same length.
func TestSlowDisk(t *testing.T) {
	t.Parallel()
	d := &disk{move: make(chan struct{})}
	w := newWriter(d, fails(t))
	for range 1000 { // 20 s
		w.Caller(tone(1, 20))
	}
	close(d.move)
	for range 50 {
		w.Caller(tone(1, 20))
		time.Sleep(time.Millisecond) // real time: the writer's goroutine catches up
	}
	length, lost := w.Close()
	if length != 21*time.Second || lost < 10*time.Second || d.Len() != 21_000*bytesPerMs {
		t.Errorf("%v long, %v lost, %d bytes", length, lost, d.Len())
	}
	if silent := bytes.Count(d.Bytes(), []byte{audio.Silence}); silent < int(lost.Milliseconds())*bytesPerMs {
		t.Errorf("%d bytes of silence for %v", silent, lost)
	}
}

func TestFailingDiskIsToldOnce(t *testing.T) {
	t.Parallel()
	told := 0
	w := newWriter(&disk{err: errors.New("no space left")}, func(error) { told++ })
	for range 1000 {
		w.Caller(tone(1, 20))
		w.Agent(tone(1, 20), 0)
	}
	w.Close()
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

func TestNilWriter(t *testing.T) {
	t.Parallel()
	var w *Writer
	w.Caller(tone(1, 20))
	w.Agent(tone(1, 20), 0)
	w.Cut(0)
	w.Close()
}

func TestFolderCannotBeLeft(t *testing.T) {
	t.Parallel()
	f := NewFolder(t.TempDir())
	for _, id := range []string{"..", "", "../../etc", "."} {
		if _, err := f.Create(org, id, 1, fails(t)); err == nil {
			t.Errorf("created %q", id)
		}
		if f.Delete(id, conv) == nil || f.Exists(org, id) {
			t.Errorf("deleted or found %q", id)
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	w := newWriter(&disk{err: errors.New("nowhere")}, func(error) {})
	frame := tone(1, 20)
	b.ReportAllocs()
	for b.Loop() {
		w.Agent(frame, 160*time.Millisecond)
		w.Caller(frame)
	}
	w.Close()
}

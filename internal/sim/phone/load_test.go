package phone

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// loadServer names the environment variable that makes the test binary the server of BenchmarkHundredCalls: a
// process of its own, so that its CPU time is not the phones'.
const loadServer = "PARLEY_PHONE_LOAD_SERVER"

// serveLoad is the server: it answers every frame with a frame. It ends when its standard input does.
func serveLoad() bool {
	if os.Getenv(loadServer) == "" {
		return false
	}
	var address string
	payload := base64.StdEncoding.EncodeToString(voiced(160))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/stream" {
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprintf(w, `<Response><Connect><Stream url="%s/stream"/></Connect></Response>`, strings.Replace(address, "http", "ws", 1))
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		var out []byte
		for {
			_, raw, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if out == nil && strings.Contains(string(raw), `"event":"start"`) {
				var start received
				_ = json.Unmarshal(raw, &start)
				out = fmt.Appendf(nil, `{"event":"media","streamSid":"%s","media":{"payload":"%s"}}`, start.StreamSID, payload)
			}
			if out != nil && conn.Write(r.Context(), websocket.MessageText, out) != nil {
				return
			}
		}
	}))
	defer s.Close()
	address = s.URL
	fmt.Println(address)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	return true
}

// BenchmarkHundredCalls holds 100 calls for 10 s with speech both ways and reports the CPU of the phones alone.
// Run it with -benchtime 1x.
func BenchmarkHundredCalls(b *testing.B) {
	const calls, length = 100, 10 * time.Second
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), loadServer+"=1")
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = stdin.Close(); _ = cmd.Wait() }()
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		before := cpu()
		var running []*Call
		for range calls {
			c, err := Dial(b.Context(), Options{WebhookURL: strings.TrimSpace(address), AuthToken: testToken, To: "+1", Program: []Step{Say(speech(length)), Hangup()}})
			if err != nil {
				b.Fatal(err)
			}
			running = append(running, c)
		}
		var late time.Duration
		frames, underruns := 0, 0
		for _, c := range running {
			<-c.Done()
			r := c.Report()
			if r.EndedBy != "caller" || len(r.Violations) > 0 {
				b.Fatalf("ended by %q, violations %v", r.EndedBy, r.Violations)
			}
			late, frames, underruns = max(late, r.Late), frames+r.Streams[0].FramesSent, underruns+len(r.Underruns)
		}
		b.ReportMetric(100*(cpu()-before).Seconds()/length.Seconds(), "%core")
		b.ReportMetric(float64(late.Milliseconds()), "ms-late-max")
		b.ReportMetric(float64(frames), "frames")
		b.ReportMetric(float64(underruns), "underruns")
	}
}

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

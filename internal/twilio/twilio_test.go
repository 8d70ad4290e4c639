package twilio

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"parley/internal/leg"
	"parley/internal/sim/schema"
	"parley/internal/ws"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The example of Twilio's documentation, "Validating Signatures from Twilio".
func TestSignatureMatchesTwiliosExample(t *testing.T) {
	t.Parallel()
	form := url.Values{
		"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+14158675310"}, "Digits": {"1234"},
		"From": {"+14158675310"}, "To": {"+18005551212"},
	}
	got := Sign("12345", "https://example.com/myapp.php?foo=1&bar=2", form)
	if want := "L/OH5YylLD5NRKLltdqwSvS0BnU="; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	const address = "https://voice.example.com/twilio/voice"
	form := url.Values{"A": {"2", "1", "2"}, "B": {"x"}}
	good := Sign("token", address, form)
	cases := map[string]struct {
		token, url, signature string
		form                  url.Values
		want                  bool
	}{
		"right":                              {"token", address, good, form, true},
		"with the default port":              {"token", address, Sign("token", "https://voice.example.com:443/twilio/voice", form), form, true},
		"wrong token":                        {"other", address, good, form, false},
		"no token configured":                {"", address, Sign("", address, form), form, false},
		"no signature":                       {"token", address, "", form, false},
		"altered form":                       {"token", address, good, url.Values{"A": {"2", "1"}, "B": {"y"}}, false},
		"added parameter":                    {"token", address, good, url.Values{"A": {"1", "2"}, "B": {"x"}, "C": {"1"}}, false},
		"another path":                       {"token", address + "x", good, form, false},
		"stream":                             {"token", "wss://h/s/t", Sign("token", "wss://h/s/t", nil), nil, true},
		"stream, trailing slash":             {"token", "wss://h/s/t", Sign("token", "wss://h/s/t/", nil), nil, true},
		"stream, Twilio's port":              {"token", "wss://h/s/t", Sign("token", "wss://h:80/s/t", nil), nil, true},
		"stream signed as https":             {"token", "wss://h/s/t", Sign("token", "https://h/s/t", nil), nil, false},
		"port configured, signed without":    {"token", "https://h:443/v?a=/b", Sign("token", "https://h/v?a=/b", nil), nil, true},
		"port configured, signed with it":    {"token", "https://h:8443/v", Sign("token", "https://h:8443/v", nil), nil, true},
		"other port configured, signed bare": {"token", "https://h:8443/v", Sign("token", "https://h/v", nil), nil, true},
		"another port":                       {"token", "https://h:8443/v", Sign("token", "https://h:8444/v", nil), nil, false},
		"IPv6":                               {"token", "https://[::1]/v", Sign("token", "https://[::1]:443/v", nil), nil, true},
		"stream, port configured":            {"token", "wss://h:443/s", Sign("token", "wss://h/s/", nil), nil, true},
		"webhook, trailing slash":            {"token", address, Sign("token", address+"/", form), form, false},
	}
	for name, c := range cases {
		if got := Verify(c.token, c.url, c.form, c.signature); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestTwiMLIsEscapedAndInOrder(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	err := WriteTwiML(w, Connect{Stream: Stream{URL: "wss://h/s", Parameters: []Parameter{{Name: "n", Value: `"><Hangup/>`}}}},
		Redirect{Method: "POST", URL: "https://h/r"}, Say{Text: "a & <b>"}, Dial{Number: DialNumber{Number: "+1"}}, Hangup{})
	if err != nil {
		t.Fatal(err)
	}
	want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Response><Connect><Stream url="wss://h/s">` +
		`<Parameter name="n" value="&#34;&gt;&lt;Hangup/&gt;"></Parameter></Stream></Connect>` +
		`<Redirect method="POST">https://h/r</Redirect><Say>a &amp; &lt;b&gt;</Say><Dial><Number>+1</Number></Dial><Hangup></Hangup></Response>`
	if got := w.Body.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if ct := w.Header().Get("Content-Type"); !strings.HasPrefix(ct, "text/xml") {
		t.Errorf("content type %q", ct)
	}
}

const startMessage = `{"event":"start","sequenceNumber":"1","streamSid":"MZ00000000000000000000000000000001","start":{"streamSid":"MZ00000000000000000000000000000001",` +
	`"accountSid":"AC00000000000000000000000000000001","callSid":"CA00000000000000000000000000000001","tracks":["inbound"],"customParameters":{"a":"b"},` +
	`"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}`

// accept runs a server that accepts one stream and returns both ends.
func accept(t *testing.T, first ...string) (*MediaStream, *websocket.Conn, error) {
	t.Helper()
	type result struct {
		s   *MediaStream
		err error
	}
	got := make(chan result, 1)
	finish := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := ws.Accept(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		s, err := AcceptStream(c, 5*time.Second)
		got <- result{s, err}
		<-finish
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	peer, _, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range first {
		if err := peer.Write(ctx, websocket.MessageText, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	r := <-got
	t.Cleanup(func() {
		_ = peer.CloseNow()
		if r.s != nil {
			r.s.Close()
			r.s.Wait()
		}
		close(finish)
		srv.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return r.s, peer, r.err
}

func TestStreamEvents(t *testing.T) {
	t.Parallel()
	s, peer, err := accept(t, `{"event":"connected","protocol":"Call","version":"1.0.0"}`, `{"event":"novelty","start":null}`, startMessage)
	if err != nil {
		t.Fatal(err)
	}
	if s.Start.CallSID != "CA00000000000000000000000000000001" || s.Start.CustomParameters["a"] != "b" {
		t.Errorf("start %+v", s.Start)
	}
	s.Listen()
	payload := base64.StdEncoding.EncodeToString([]byte("audio"))
	for _, m := range []string{
		`{"event":"media","sequenceNumber":"2","streamSid":"MZ1","media":{"track":"inbound","chunk":"1","timestamp":"5","payload":"` + payload + `"}}`,
		`{"event":"media","media":{"track":"outbound","payload":"` + payload + `"}}`,
		`{"event":"media","media":{"payload":"` + payload + `","gain":{"db":[1]}},"more":null}`,
		`not JSON`,
		`{"event":"novelty"}`,
		`{"event":"mark","sequenceNumber":"3","streamSid":"MZ1","mark":{"name":"g0.1"}}`,
		`{"event":"dtmf","streamSid":"MZ1","sequenceNumber":"4","dtmf":{"track":"inbound_track","digit":"#"}}`,
		`{"event":"stop","sequenceNumber":"5","streamSid":"MZ1","stop":{"accountSid":"AC1","callSid":"CA1"}}`,
	} {
		if err := peer.Write(t.Context(), websocket.MessageText, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	want := []leg.CarrierEvent{
		{Kind: leg.CarrierMedia, Payload: []byte("audio")}, {Kind: leg.CarrierMedia, Payload: []byte("audio")}, {Kind: leg.CarrierMark, Name: "g0.1"},
		{Kind: leg.CarrierDTMF, Name: "#"}, {Kind: leg.CarrierStop},
	}
	for _, w := range want {
		got := <-s.Events()
		if got.Kind != w.Kind || got.Name != w.Name || string(got.Payload) != string(w.Payload) {
			t.Errorf("got %+v, want %+v", got, w)
		}
	}
	_ = peer.CloseNow()
	if _, ok := <-s.Events(); ok || s.Err() == nil {
		t.Error("a vanished socket must close the events with an error")
	}
}

func TestStreamSendsOnlyWhatTheSchemaAllows(t *testing.T) {
	t.Parallel()
	s, peer, err := accept(t, `{"event":"connected","protocol":"Call","version":"1.0.0"}`, startMessage)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.SendMedia(make([]byte, 160)), s.SendMark("g0.1"), s.SendClear(), s.SendMedia([]byte{1})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, event := range []string{"media", "mark", "clear", "media"} {
		_, raw, err := peer.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		schema.TwilioTo(t).Check(t, raw)
		var m struct{ Event string }
		if _ = json.Unmarshal(raw, &m); m.Event != event {
			t.Errorf("got %s, want %s", m.Event, event)
		}
	}
}

func TestStreamRefusesStrangers(t *testing.T) {
	t.Parallel()
	connected := `{"event":"connected","protocol":"Call","version":"1.0.0"}`
	for name, first := range map[string][]string{
		"not JSON":             {"hello"},
		"start without start":  {connected, `{"event":"start"}`},
		"media before start":   {connected, `{"event":"media","media":{"track":"inbound","payload":"AAAA"}}`},
		"another media format": {connected, strings.Replace(startMessage, "x-mulaw", "x-l16", 1)},
		"noise without end":    slices.Repeat([]string{`{"event":"novelty"}`}, maxPreamble),
		"no call":              {connected, strings.Replace(startMessage, "CA00000000000000000000000000000001", "", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := accept(t, first...); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestHangup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		body    string
		wantErr bool
	}{
		"live":         {200, `{"sid":"CA1","status":"completed"}`, false},
		"already over": {404, `{"code":20404,"message":"not found","status":404}`, false},
		"wrong token":  {401, `{"code":20003,"message":"Authenticate","status":401}`, true},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, pass, _ := r.BasicAuth()
			if r.URL.Path != "/2010-04-01/Accounts/AC1/Calls/CA1.json" || user != "AC1" || pass != "tok" || r.FormValue("Status") != "completed" {
				t.Errorf("%s: request %s %s %s", name, r.Method, r.URL.Path, r.Form)
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		client := Client{BaseURL: srv.URL, AccountSID: "AC1", AuthToken: "tok", HTTP: srv.Client()}
		err := client.Hangup(t.Context(), "CA1")
		if (err != nil) != c.wantErr || err != nil && strings.Contains(err.Error(), "tok") {
			t.Errorf("%s: %v", name, err)
		}
		srv.Close()
	}
}

// FuzzFast checks that of valid JSON the fast decoder reads what encoding/json reads. Keys that differ only in
// case are left out: encoding/json folds them, the protocol does not.
func FuzzFast(f *testing.F) {
	f.Add([]byte(`{"event":"media","sequenceNumber":"2","streamSid":"MZ1","media":{"track":"inbound","chunk":"1","timestamp":"5","payload":"AAAA"}}`))
	f.Add([]byte(`{"event":"media","media":{"track":"inbound","payload":"AAAA","payload":"BBBB"}}`))
	f.Add([]byte(`{"event":"media","media":{"track":"inbound","payload":"AAAA"},"streamSid":"MZ1","event":"stop"}`))
	f.Add([]byte(`{"event":"mark","sequenceNumber":"3","streamSid":"MZ1","mark":{"name":"g0.1"}}`))
	f.Add([]byte(`{"event":"mark","mark":{"name":"g0.1"},"media":{"track":"inbound","payload":"AAAA"}}`))
	f.Add([]byte(`{"event":"media","x":{"track":"inbound","payload":"AAAA"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := &MediaStream{}
		fast, ok := s.fast(raw)
		if !ok || !bytes.Equal(raw, bytes.ToLower(raw)) && bytes.Count(bytes.ToLower(raw), []byte(`":`)) != 7 {
			return
		}
		var m streamMessage
		if json.Unmarshal(raw, &m) != nil {
			return
		}
		kind := map[string]leg.CarrierKind{"media": leg.CarrierMedia, "mark": leg.CarrierMark}[m.Event]
		if fast.Kind != kind || kind == leg.CarrierMedia && string(m.Media.Payload) != string(fast.Payload) || kind == leg.CarrierMark && m.Mark.Name != fast.Name {
			t.Fatalf("fast %+v, encoding/json %+v of %q", fast, m, raw)
		}
	})
}

func BenchmarkDecodeMedia(b *testing.B) {
	raw := []byte(`{"event":"media","sequenceNumber":"2","media":{"track":"inbound","chunk":"1","timestamp":"5","payload":"` +
		base64.StdEncoding.EncodeToString(make([]byte, 160)) + `"},"streamSid":"MZ00000000000000000000000000000001"}`)
	s := &MediaStream{buffers: leg.NewBuffers(carrierEvents)}
	if _, ok := s.fast(raw); !ok {
		b.Fatal("Twilio's own order of members takes the slow way")
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := s.decode(raw); !ok {
			b.Fatal("not decoded")
		}
	}
}

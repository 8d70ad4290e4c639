package widget

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// refusedFor checks a refusal of a budget: what the visitor reads, and when it may come again.
func (r reply) refusedFor(say string, atMost time.Duration) {
	r.t.Helper()
	r.want(say, 429)
	var e struct {
		Error struct{ Message, Type string }
	}
	_ = json.Unmarshal(r.body, &e)
	seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
	if e.Error.Message != say || e.Error.Type != "rate_limited" || err != nil || seconds < 1 || time.Duration(seconds)*time.Second > atMost {
		r.t.Errorf("refused with %s, Retry-After %q; want %q", r.body, r.header.Get("Retry-After"), say)
	}
	if r.header.Get("Access-Control-Allow-Origin") == "" || !strings.Contains(r.header.Get("Access-Control-Expose-Headers"), "Retry-After") {
		r.t.Error("the page cannot read why")
	}
}

func TestMinuteBudgets(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), func(o *Options) {
		o.Budgets = Budgets{SessionsPerAddress: 3, MessagesPerAddress: 5, MessagesPerVisitor: 2}
	})
	from := func(client string) (reply, *browser) {
		v := &browser{house: b, origin: site}
		r := b.do(ask{method: "POST", path: "/widget/v1/sessions", body: b.opening(), client: client})
		if r.status == 201 {
			r.data(&v.sessionView)
		}
		return r, v
	}
	post := func(v *browser, client string) reply {
		r := b.do(ask{method: "POST", path: "/widget/v1/messages", token: v.Token, client: client, body: messageBody(parley.NewID(), "hi")})
		if r.status == 202 {
			var a acceptedView
			r.data(&a)
			v.listen(a.RunID, nil)
		}
		return r
	}
	var one [3]*browser
	for i := range one {
		var r reply
		r, one[i] = from("2001:db8:1:2::" + strconv.Itoa(i+1))
		r.want("a session", 201)
	}
	r, _ := from("2001:db8:1:2:ffff::1") // the same customer
	r.refusedFor(sayManySessions, time.Minute)
	r, other := from("2001:db8:1:3::1")
	r.want("the neighbor", 201)
	r, _ = from("192.0.2.9")
	r.want("IPv4", 201)

	for range 2 {
		post(one[0], "2001:db8:1:2::1").want("a message", 202)
	}
	post(one[0], "2001:db8:1:2::1").refusedFor(sayTooFast, time.Minute)
	post(one[1], "2001:db8:1:2::9").want("another visitor", 202)
	post(one[1], "2001:db8:1:2::9").want("another visitor", 202)
	post(one[2], "2001:db8:1:2::9").want("a third visitor", 202)
	post(one[2], "2001:db8:1:2::9").refusedFor(sayManyMessages, time.Minute)
	post(other, "2001:db8:1:3::1").want("the neighbor", 202)
	b.clock.pass(time.Minute)
	post(one[0], "2001:db8:1:2::1").want("a minute later", 202)
}

// TestDailyBudgets: counted in the transaction that accepts the message, so that many at once pass it never.
func TestDailyBudgets(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newHouse(t, st, func(o *Options) { o.Budgets = Budgets{DailyPerVisitor: 2, DailyPerAddress: 5} })
		b.clock.at = time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC)
		limit := 6
		b.set(func(a *parley.Agent) { a.Chat.DailyMessageLimit = &limit })
		post := func(v *browser, client, id string) reply {
			return b.do(ask{method: "POST", path: "/widget/v1/messages", token: v.Token, client: client, body: messageBody(id, "hi")})
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		accepted := 0
		last := b.session(site)
		for range 4 {
			v := b.session(site)
			wg.Go(func() {
				for range 3 {
					id := parley.NewID()
					r := post(v, "192.0.2.1", id)
					if r.status != 202 {
						continue
					}
					var a acceptedView
					r.data(&a)
					v.listen(a.RunID, nil)
					post(v, "192.0.2.1", id).want("the same message again", 202)
					mu.Lock()
					accepted++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if accepted != 5 {
			t.Errorf("%d messages were accepted from one address, 5 may be", accepted)
		}
		post(last, "192.0.2.1", "x").refusedFor(sayAddressDay, time.Hour)
		v := b.session(site)
		var a acceptedView
		post(v, "192.0.2.2", "x").want("another address", 202).data(&a)
		v.listen(a.RunID, nil)
		post(last, "192.0.2.3", "x").refusedFor(sayAgentDay, time.Hour)
		b.clock.pass(30 * time.Minute)
		post(v, "192.0.2.2", "y").refusedFor(sayAgentDay, 30*time.Minute)
		b.clock.pass(30 * time.Minute)
		v.resume()
		for i := range 2 {
			post(v, "192.0.2.2", fmt.Sprint("z", i)).want("the next day", 202).data(&a)
			v.listen(a.RunID, nil)
		}
		post(v, "192.0.2.2", "z3").refusedFor(sayVisitorDay, 24*time.Hour)
		limit = 0
		b.set(func(a *parley.Agent) { a.Chat.DailyMessageLimit = &limit })
		post(b.session(site), "192.0.2.4", "x").refusedFor(sayAgentDay, 24*time.Hour)
	})
}

func TestAnswersAtOnce(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), func(o *Options) { o.Budgets = Budgets{RunsPerAddress: 2, RunsPerAgent: 3} })
	post := func(v *browser, client string) reply {
		return b.do(ask{method: "POST", path: "/widget/v1/messages", token: v.Token, client: client, body: messageBody(parley.NewID(), "hold")})
	}
	one := b.session(site)
	var first acceptedView
	post(one, "192.0.2.1").want("the first", 202).data(&first)
	post(one, "192.0.2.1").want("a second message of the conversation", 409)
	post(b.session(site), "192.0.2.1").want("another visitor", 202)
	post(b.session(site), "192.0.2.1").refusedFor(sayBusy, time.Minute)
	post(b.session(site), "192.0.2.2").want("another address", 202)
	post(b.session(site), "192.0.2.3").refusedFor(sayBusy, time.Minute)
	one.do("POST", "/widget/v1/runs/"+first.RunID+"/stop", "").want("stopping", 202)
	events, _ := one.listen(first.RunID, nil)
	if last := events[len(events)-1]; !strings.Contains(last.Data, "stopped") {
		t.Errorf("a stopped run ends with %+v", last)
	}
	until := time.Now().Add(patience)
	for post(b.session(site), "192.0.2.3").status != 202 {
		if time.Now().After(until) {
			t.Fatal("the place of an ended answer stays taken")
		}
	}
}

// TestAThousandSessions: one address opens as many as it may, and others notice nothing.
func TestAThousandSessions(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	var wg sync.WaitGroup
	counts := make(chan int, 1000)
	for range 20 {
		wg.Go(func() {
			for range 50 {
				counts <- b.do(ask{method: "POST", path: "/widget/v1/sessions", body: b.opening(), client: "198.51.100.7"}).status
			}
		})
	}
	wg.Go(func() {
		for i := range 20 {
			r := b.do(ask{method: "POST", path: "/widget/v1/sessions", body: b.opening(), client: "203.0.113." + strconv.Itoa(i)})
			r.want("a session from another address", 201)
		}
	})
	wg.Wait()
	close(counts)
	seen := map[int]int{}
	for status := range counts {
		seen[status]++
	}
	if most := DefaultBudgets.SessionsPerAddress; seen[201] != most || seen[429] != 1000-most {
		t.Errorf("a thousand sessions ended as %v", seen)
	}
}

// TestLargeMessages: 10 MB are refused without being read, whether or not their size is announced.
func TestLargeMessages(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	v := b.session(site)
	v.do("POST", "/widget/v1/messages", messageBody("m", strings.Repeat("a", MaxMessage+1))).want("too many characters", 400)
	v.do("POST", "/widget/v1/messages", messageBody("m", " \n")).want("blanks", 400)
	v.do("POST", "/widget/v1/messages", messageBody(strings.Repeat("i", 101), "x")).want("a long id", 400)
	v.do("POST", "/widget/v1/messages", `{"text":"x"}`).want("no id", 400)
	v.do("POST", "/widget/v1/messages", `{"clientMessageId":"m","text":"x","agentId":"y"}`).want("an unknown member", 400)
	v.do("POST", "/widget/v1/messages", `{"clientMessageId":"m","text":"a\u0000b"}`).want("NUL", 400)
	long := `{"clientMessageId":"m","text":"` + strings.Repeat(`\ud83d\ude00`, MaxMessage) + `"}` // the longest way to write the longest message
	v.do("POST", "/widget/v1/messages", long).want("the longest message", 202)

	for _, framing := range []string{"Content-Length: 10485760", "Transfer-Encoding: chunked"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.srv.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, "POST /widget/v1/messages HTTP/1.1\r\nHost: x\r\nOrigin: "+site+"\r\nAuthorization: Bearer "+v.Token+"\r\nContent-Type: application/json\r\n"+framing+"\r\n\r\n")
		sent := make(chan int)
		go func() {
			n := 0
			chunk := "10000\r\n" + strings.Repeat("a", 0x10000) + "\r\n"
			for n < 10<<20 {
				k, err := io.WriteString(conn, chunk)
				if n += k; err != nil {
					break
				}
			}
			sent <- n
		}()
		answer := make([]byte, 20)
		if _, err := io.ReadFull(conn, answer); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 413 ") {
			t.Errorf("%s: %q, %v", framing, answer, err)
		}
		_ = conn.Close()
		t.Logf("%s: %d bytes left the sender", framing, <-sent)
	}
	if _, text := v.listen(v.resumedRun(t), nil); !strings.HasSuffix(text, "😀") {
		t.Error("the chat does not go on")
	}
}

// resumedRun is the run of the newest message.
func (v *browser) resumedRun(t *testing.T) string {
	t.Helper()
	v.resume().want("resuming", 201)
	return v.Messages[len(v.Messages)-1].RunID
}

// TestSlowReaders: streams that nobody reads hold up neither the answer nor anybody else, and there are only so many.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	v := b.session(site)
	run := v.say("hold " + strings.Repeat("x", 7000))
	for range streamsPerVisitor {
		res := v.open(ask{method: "GET", path: "/widget/v1/runs/" + run.RunID + "/events", origin: site, token: v.Token})
		defer res.Body.Close() // never read
		if res.StatusCode != 200 {
			t.Fatalf("a stream: %d", res.StatusCode)
		}
	}
	v.do("GET", "/widget/v1/runs/"+run.RunID+"/events", "").refusedFor(sayManyStreams, time.Minute)
	other := b.session(site)
	if _, text := other.listen(other.say("hi").RunID, nil); text != "You said: hi" {
		t.Errorf("another visitor is answered %q", text)
	}
	b.model.release()
	until := time.Now().Add(patience)
	for v.resumedRun(t) == "" || v.ActiveRun != nil {
		if time.Now().After(until) {
			t.Fatal("slow readers hold the answer up")
		}
	}
}

// TestStreamsHeaders: proxies must pass a stream on as it comes.
func TestStreamHeaders(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	v := b.session(site)
	run := v.say("hi")
	res := v.open(ask{method: "GET", path: "/widget/v1/runs/" + run.RunID + "/events", origin: site, token: v.Token})
	defer res.Body.Close()
	h := res.Header
	if h.Get("X-Accel-Buffering") != "no" || !strings.Contains(h.Get("Cache-Control"), "no-cache") || !strings.Contains(h.Get("Cache-Control"), "no-transform") || h.Get("Access-Control-Allow-Origin") != site {
		t.Errorf("the stream's headers: %v", h)
	}
	for _, bad := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		b.do(ask{method: "GET", path: "/widget/v1/runs/" + run.RunID + "/events", token: v.Token, header: http.Header{"Last-Event-Id": {bad}}}).want("Last-Event-ID "+bad, 400)
	}
}

package apicheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

const shelf = `{"openapi":"3.1.0","security":[{"k":[]}],"paths":{
"/things":{
  "get":{"operationId":"list","parameters":[{"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":10}}],
    "responses":{"200":{"$ref":"#/components/responses/Ok"},"400":{"$ref":"#/components/responses/No"},"401":{"$ref":"#/components/responses/No"}}},
  "post":{"operationId":"create","requestBody":{"content":{"application/json":{"schema":{"type":"object","additionalProperties":false,"required":["name"],
    "properties":{"name":{"type":"string","minLength":1,"maxLength":20,"pattern":"\\S"},"size":{"type":["integer","null"],"minimum":0,"maximum":5}}}}}},
    "responses":{"201":{"$ref":"#/components/responses/Ok"},"400":{"$ref":"#/components/responses/No"},"401":{"$ref":"#/components/responses/No"},
      "413":{"$ref":"#/components/responses/No"},"415":{"$ref":"#/components/responses/No"}}}},
"/things/{thingId}":{
  "get":{"operationId":"get","parameters":[{"name":"thingId","in":"path","required":true,"schema":{"type":"string"}}],
    "responses":{"200":{"$ref":"#/components/responses/Ok"},"400":{"$ref":"#/components/responses/No"},"401":{"$ref":"#/components/responses/No"},"404":{"$ref":"#/components/responses/No"}}},
  "delete":{"operationId":"delete","parameters":[{"name":"thingId","in":"path","required":true,"schema":{"type":"string"}}],
    "responses":{"200":{"$ref":"#/components/responses/Ok"},"400":{"$ref":"#/components/responses/No"},"401":{"$ref":"#/components/responses/No"},"404":{"$ref":"#/components/responses/No"}}}}},
"components":{"responses":{
  "Ok":{"headers":{"X-Total":{"schema":{"type":"integer"}}},"content":{"application/json":{"schema":{"properties":{"success":{"const":true},"data":{"properties":{"id":{"type":"string"},"deleted":{"const":true}}}}}}}},
  "No":{"content":{"application/json":{"schema":{"required":["success","error"],"properties":{"success":{"const":false},"error":{"required":["code"],"properties":{"code":{"type":"integer"},"requestId":{"type":"string"}}}}}}}}}}}`

var goodLimit = regexp.MustCompile(`^limit=([1-9]|10)$`)

// things is a sloppy server with one fault on demand.
type things struct {
	fault string
	mu    sync.Mutex
	n     int
	alive map[string]bool
}

func (s *things) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012x", s.n)
	if s.fault != "no request id" {
		w.Header().Set("X-Request-Id", id)
	}
	no := func(status int, more string) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"success":false,"error":{"code":%d,"requestId":"%s"%s}}`, status, id, more)
	}
	ok := func(status int, data string) {
		w.Header().Set("Content-Type", "application/json")
		if s.fault == "bad header" {
			w.Header().Set("X-Total", "many")
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"success":true,"data":{%s}}`, data)
	}
	plain, bearer := r.Header.Values("X-Api-Key"), r.Header.Values("Authorization")
	may := len(plain) == 1 && plain[0] == "secret-key" && len(bearer) == 0 || len(bearer) == 1 && strings.EqualFold(bearer[0], "Bearer secret-key") && len(plain) == 0
	rest, item := strings.CutPrefix(r.URL.Path, "/things/")
	switch {
	case r.URL.Path != "/things" && !item:
		no(404, "")
	case r.Method != "GET" && r.Method != "HEAD" && (r.Method != "POST" || item) && (r.Method != "DELETE" || !item):
		if s.fault != "405 without Allow" {
			w.Header().Set("Allow", "GET")
		}
		no(405, "")
	case !may && s.fault != "open":
		if s.fault == "telling 401" && r.Header.Get("Authorization") != "" {
			no(401, `,"hint":1`)
			return
		}
		no(401, "")
	case item && !s.alive[rest]:
		no(404, "")
	case r.Method == "DELETE":
		if s.fault != "undead" {
			delete(s.alive, rest)
		}
		ok(200, `"deleted":true`)
	case item:
		ok(200, `"id":"`+rest+`"`)
	case r.Method == "POST":
		s.create(r, id, no, ok)
	case s.fault == "lenient query" || r.URL.RawQuery == "" || goodLimit.MatchString(r.URL.RawQuery):
		ok(200, "")
	default:
		no(400, "")
	}
}

func (s *things) create(r *http.Request, id string, no, ok func(int, string)) {
	var in struct {
		Name string
		Size *float64
	}
	members := map[string]json.RawMessage{}
	n := func() int { return utf8.RuneCountInString(in.Name) }
	body, _ := io.ReadAll(r.Body)
	err := errors.Join(json.Unmarshal(body, &in), json.Unmarshal(body, &members))
	if strings.Contains(string(members["size"]), "e-") {
		err = errors.New("a fraction, which a float64 may round to nothing")
	}
	delete(members, "name")
	delete(members, "size")
	switch {
	case len(members) > 0 && s.fault != "extra members", err != nil || in.Size != nil && (*in.Size < 0 || *in.Size > 5 || *in.Size != math.Trunc(*in.Size)) || strings.TrimSpace(in.Name) == "" || n() > 20 && s.fault != "long names":
		no(400, "")
	case s.fault == "crash" && in.Size != nil && *in.Size == 5:
		no(500, `,"at":"main.go:12"`)
	case s.fault == "teapot" && in.Size != nil && *in.Size == 5:
		no(418, "")
	case s.fault == "narrow" && strings.ContainsFunc(in.Name, func(r rune) bool { return r > 0xffff }):
		no(400, "")
	case s.fault == "extra answer":
		s.alive[id] = true
		ok(201, `"id":"`+id+`","secret":1`)
	default:
		s.alive[id] = true
		ok(201, `"id":"`+id+`"`)
	}
}

// TestEveryPlantedFaultIsFound: what a fault makes the adversary say, it does not say without it.
func TestEveryPlantedFaultIsFound(t *testing.T) {
	t.Parallel()
	findings := func(fault string) string {
		srv := httptest.NewServer(&things{fault: fault, alive: map[string]bool{}})
		defer srv.Close()
		report, err := Run(t.Context(), Options{Document: []byte(shelf), BaseURL: srv.URL, Key: "secret-key", Requests: 1_500, Seed: 1, Client: srv.Client()})
		if err != nil || report.Requests < 1_500 || len(report.Unproven) > 0 {
			t.Fatalf("%s: %d requests, unproven %v: %v", fault, report.Requests, report.Unproven, err)
		}
		var b strings.Builder
		for _, f := range report.Failures {
			b.WriteString(f.String())
		}
		return b.String()
	}
	sound := findings("")
	for fault, words := range map[string]string{
		"no request id":     `X-Request-Id is ""`,
		"405 without Allow": `was answered 405 with Allow ""`,
		"open":              "without a key request (key) was answered 200",
		"telling 401":       "401 differs from another 401",
		"undead":            "after create, 404 expected was answered 200",
		"lenient query":     "list: invalid request (parameter limit) was answered 200",
		"extra members":     "create: invalid request (one thing changed) was answered 201",
		"crash":             "shows the inside",
		"teapot":            "status 418 is not documented",
		"narrow":            "create: valid request () was answered 400",
		"extra answer":      "at '/data/secret'",
		"bad header":        `header X-Total is "many"`,
	} {
		if strings.Contains(sound, words) {
			t.Errorf("%q is said of the sound server:\n%s", words, sound)
		}
		if got := findings(fault); !strings.Contains(got, words) {
			t.Errorf("fault %q is not found:\n%s", fault, got)
		}
	}
}

// TestStreamFraming of server-sent events.
func TestStreamFraming(t *testing.T) {
	t.Parallel()
	for stream, sound := range map[string]bool{
		"id: 0\nevent: a\ndata: {}\n\n: beat\n\nid: 1\nevent: b\ndata: {\"x\":1}\n\n": true,
		"id: 1\nevent: a\ndata: {}\n\nid: 1\nevent: b\ndata: {}\n\n":                  false,
		"id: 1\nevent: a\ndata: {}\n":                                                 false,
		"id: 1\nevent: a\ndata: {x}\n\n":                                              false,
		"id: 1\ndata: {}\n\n":                                                         false,
	} {
		if p := wrongStream([]byte(stream)); (p == "") != sound {
			t.Errorf("wrongStream(%q) = %q", stream, p)
		}
	}
}

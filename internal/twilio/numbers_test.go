package twilio

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// api is a REST API of one handler, and a client of it with the token "sesame".
func api(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &Client{BaseURL: srv.URL, AccountSID: "AC1", AuthToken: "sesame", HTTP: srv.Client()}
}

func TestListNumbersFollowsPages(t *testing.T) {
	t.Parallel()
	served := 0
	c := api(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "AC1" || password != "sesame" {
			t.Errorf("asked as %q", user)
		}
		served++
		next := fmt.Sprintf(`"/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json?Page=%d&PageToken=x"`, served)
		if served == 3 {
			next = "null"
		}
		_, _ = fmt.Fprintf(w, `{"incoming_phone_numbers":[{"sid":"PN%d","phone_number":"+1415555000%d","capabilities":{"voice":true}}],"next_page_uri":%s}`, served, served, next)
	})
	all, more, err := c.ListNumbers(t.Context())
	if err != nil || more || len(all) != 3 || all[2].SID != "PN3" || !all[0].Capabilities.Voice {
		t.Errorf("%+v, more %v, %v", all, more, err)
	}
}

// An endless list ends, and what leads elsewhere is not followed: the credentials would go there.
func TestListNumbersIsBounded(t *testing.T) {
	t.Parallel()
	served := 0
	endless := api(t, func(w http.ResponseWriter, _ *http.Request) {
		served++
		_, _ = fmt.Fprint(w, `{"incoming_phone_numbers":[{"sid":"PN1"}],"next_page_uri":"/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json?Page=1&PageToken=x"}`)
	})
	all, more, err := endless.ListNumbers(t.Context())
	if err != nil || !more || served != MaxNumbers/numbersPerPage || len(all) != served {
		t.Errorf("%d requests, %d numbers, more %v, %v", served, len(all), more, err)
	}
	for _, next := range []string{"https://evil.example/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json", "//evil.example/x", "/2010-04-01/Accounts/AC2/IncomingPhoneNumbers.json", "/x"} {
		c := api(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "AC2") || r.URL.Path == "/x" {
				t.Errorf("followed to %s", r.URL)
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"next_page_uri": next})
		})
		if _, _, err := c.ListNumbers(t.Context()); err == nil || !strings.Contains(err.Error(), "elsewhere") {
			t.Errorf("%s: %v", next, err)
		}
	}
}

func TestFindNumberIsExact(t *testing.T) {
	t.Parallel()
	c := api(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("PhoneNumber"); got != "+1415555012" {
			t.Errorf("asked for %q", got)
		}
		_, _ = fmt.Fprint(w, `{"incoming_phone_numbers":[{"sid":"PN1","phone_number":"+14155550123"}]}`) // contains it
	})
	if n, err := c.FindNumber(t.Context(), "+1415555012"); n != nil || err != nil {
		t.Errorf("found %+v, %v", n, err)
	}
}

// Whatever goes wrong, the error has Twilio's code and never the token.
func TestErrorsOfTheAPI(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"refusal": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, `{"code":20003,"message":"Authenticate","status":401}`)
		},
		"no JSON":       func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") },
		"another":       func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"sid":"PN2"}`) },
		"redirect":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"a hung server": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		c := api(t, h)
		c.HTTP.CheckRedirect = restClient.CheckRedirect
		_, err := c.UpdateNumber(t.Context(), "PN1", url.Values{"VoiceUrl": {"https://a.example/"}})
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), "sesame") {
			t.Errorf("%s: %v", name, err)
		}
		rest, ok := errors.AsType[*RESTError](err)
		if ok != (name == "refusal" || name == "redirect") || name == "refusal" && (rest.Code != 20003 || rest.Status != 401) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

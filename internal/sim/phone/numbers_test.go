package phone

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// fetch reads JSON from the API.
func fetch(t *testing.T, rest *REST, path string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rest.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("AC1", testToken)
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: %d, %v", path, res.StatusCode, err)
	}
}

func TestRESTNumbers(t *testing.T) {
	t.Parallel()
	rest, err := ListenREST("127.0.0.1:0", "AC1", testToken)
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	sid := rest.AddNumber(Number{PhoneNumber: "+14155550123"})
	const base = "/2010-04-01/Accounts/AC1/IncomingPhoneNumbers"
	self := rest.URL() + base + "/" + sid + ".json"
	form := func(pairs ...string) url.Values {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Add(pairs[i], pairs[i+1])
		}
		return v
	}
	app, trunk := "AP"+strings.Repeat("a", 32), "TK"+strings.Repeat("b", 32)
	for _, step := range []struct {
		name, method, url, password string
		form                        url.Values
		status, code                int
	}{
		{"wrong password", "POST", self, "x", form("VoiceUrl", ""), 401, 20003},
		{"list with a wrong password", "GET", rest.URL() + base + ".json", "x", nil, 401, 20003},
		{"another account", "GET", rest.URL() + "/2010-04-01/Accounts/AC2/IncomingPhoneNumbers.json", testToken, nil, 404, 20404},
		{"buying", "POST", rest.URL() + base + ".json", testToken, form("AreaCode", "415"), 405, 20004},
		{"releasing", "DELETE", self, testToken, nil, 405, 20004},
		{"unknown number", "POST", rest.URL() + base + "/PN0.json", testToken, form("VoiceUrl", ""), 404, 20404},
		{"no .json", "POST", strings.TrimSuffix(self, ".json"), testToken, form("VoiceUrl", ""), 404, 20404},
		{"unknown filter", "GET", rest.URL() + base + ".json?Number=1", testToken, nil, 400, 20001},
		{"page size", "GET", rest.URL() + base + ".json?PageSize=1001", testToken, nil, 400, 20006},
		{"a page without its token", "GET", rest.URL() + base + ".json?Page=1", testToken, nil, 400, 20006},
		{"nothing", "POST", self, testToken, nil, 400, 20001},
		{"unknown field", "POST", self, testToken, form("voice_url", "https://a.example/"), 400, 20001},
		{"twice", "POST", self, testToken, form("VoiceUrl", "https://a.example/", "VoiceUrl", "https://b.example/"), 400, 20001},
		{"no URL", "POST", self, testToken, form("VoiceUrl", "/twilio/voice"), 400, 21402},
		{"wss", "POST", self, testToken, form("StatusCallback", "wss://a.example/"), 400, 21402},
		{"method", "POST", self, testToken, form("VoiceMethod", "post"), 400, 21403},
		{"fallback alone", "POST", self, testToken, form("VoiceFallbackUrl", "https://a.example/"), 400, 21405},
		{"app", "POST", self, testToken, form("VoiceApplicationSid", "AP1"), 400, 21218},
		{"set", "POST", self, testToken, form("VoiceUrl", "https://a.example/v", "VoiceFallbackUrl", "https://a.example/f", "VoiceMethod", "GET"), 200, 0},
		{"give an app", "POST", self, testToken, form("VoiceApplicationSid", app), 200, 0},
		{"give a trunk", "POST", self, testToken, form("TrunkSid", trunk), 200, 0},
	} {
		if status, code := ask(t, step.method, step.url, "AC1", step.password, step.form); status != step.status || code != step.code {
			t.Errorf("%s: %d, code %d, want %d, %d", step.name, status, code, step.status, step.code)
		}
	}
	want := Number{SID: sid, PhoneNumber: "+14155550123", FriendlyName: "+14155550123", VoiceURL: "https://a.example/v", VoiceMethod: "GET",
		VoiceFallbackURL: "https://a.example/f", VoiceFallbackMethod: "POST", StatusCallbackMethod: "POST", TrunkSID: trunk}
	if got, ok := rest.Number("+14155550123"); !ok || got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestRESTNumberPages(t *testing.T) {
	t.Parallel()
	rest, err := ListenREST("127.0.0.1:0", "AC1", testToken)
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	for i := range 5 {
		rest.AddNumber(Number{PhoneNumber: fmt.Sprintf("+1415555012%d", i)})
	}
	type page struct {
		Numbers []struct {
			PhoneNumber string `json:"phone_number"`
		} `json:"incoming_phone_numbers"`
		Next     string `json:"next_page_uri"`
		Previous string `json:"previous_page_uri"`
	}
	list := func(path string) (all []string, pages int) {
		for path != "" {
			var p page
			fetch(t, rest, path, &p)
			for _, n := range p.Numbers {
				all = append(all, n.PhoneNumber)
			}
			if (p.Previous == "") != (pages == 0) {
				t.Errorf("page %d: previous %q", pages, p.Previous)
			}
			path = p.Next
			pages++
		}
		return all, pages
	}
	const base = "/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json"
	for query, want := range map[string]struct{ numbers, pages int }{
		"":                             {5, 1},
		"?PageSize=2":                  {5, 3},
		"?PageSize=5":                  {5, 1},
		"?PhoneNumber=5550123":         {1, 1}, // a part
		"?PhoneNumber=*15555012*":      {5, 1},
		"?PhoneNumber=%2B14155550124":  {1, 1},
		"?PhoneNumber=%2B358401234567": {0, 1},
		"?PhoneNumber=012&PageSize=4":  {5, 2},
	} {
		if all, pages := list(base + query); len(all) != want.numbers || pages != want.pages {
			t.Errorf("%s: %d numbers on %d pages, want %v", query, len(all), pages, want)
		}
	}
}

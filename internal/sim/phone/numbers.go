package phone

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Number is a phone number of the simulated account. The zero values of its addresses and methods are unset.
type Number struct {
	SID, PhoneNumber, FriendlyName        string
	VoiceURL, VoiceMethod                 string
	VoiceFallbackURL, VoiceFallbackMethod string
	StatusCallback, StatusCallbackMethod  string
	VoiceApplicationSID, TrunkSID         string
	NoVoice                               bool // it takes no calls
}

// refusal is how the API answers when a test wants it to fail.
type refusal struct {
	status, code int
	text         string
}

// AddNumber gives the account a number (E.164), and a SID, a name and Twilio's methods where n has none. It returns
// the SID.
func (r *REST) AddNumber(n Number) string {
	if n.SID == "" {
		n.SID = newSID("PN")
	}
	if n.FriendlyName == "" {
		n.FriendlyName = n.PhoneNumber
	}
	for _, method := range []*string{&n.VoiceMethod, &n.VoiceFallbackMethod, &n.StatusCallbackMethod} {
		if *method == "" {
			*method = http.MethodPost
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.numbers = append(r.numbers, &n)
	return n.SID
}

// Number returns a number as it is now.
func (r *REST) Number(e164 string) (n Number, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, have := range r.numbers {
		if have.PhoneNumber == e164 {
			return *have, true
		}
	}
	return n, false
}

// RefuseNumbers answers every later request for numbers with an error of Twilio's; status 0 ends that.
func (r *REST) RefuseNumbers(status, code int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusal = nil
	if status != 0 {
		r.refusal = &refusal{status, code, text}
	}
}

// authorized is a handler behind the account's credentials.
func (r *REST) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if !r.allowed(w, req) {
			return
		}
		r.mu.Lock()
		f := r.refusal
		r.mu.Unlock()
		switch {
		case f != nil:
			refuse(w, f.status, f.code, f.text)
		case req.PathValue("account") != r.accountSID:
			refuse(w, http.StatusNotFound, 20404, "The requested resource "+req.URL.Path+" was not found")
		default:
			next(w, req)
		}
	}
}

// What a list of numbers may be asked for.
var listParameters = []string{"Beta", "FriendlyName", "Origin", "Page", "PageSize", "PageToken", "PhoneNumber"}

// maxPageSize is Twilio's.
const maxPageSize = 1000

// serveNumbers lists the account's numbers: GET …/IncomingPhoneNumbers.json.
func (r *REST) serveNumbers(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodGet {
		refuse(w, http.StatusMethodNotAllowed, 20004, "Method not allowed") // buying a number is not simulated
		return
	}
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, 20001, "the query cannot be read")
		return
	}
	for name := range query {
		if !slices.Contains(listParameters, name) {
			refuse(w, http.StatusBadRequest, 20001, "unknown parameter "+name)
			return
		}
	}
	size, page := 50, 0
	if text := query.Get("PageSize"); text != "" {
		if size, err = strconv.Atoi(text); err != nil || size < 1 || size > maxPageSize {
			refuse(w, http.StatusBadRequest, 20006, "PageSize must be from 1 to 1000")
			return
		}
	}
	if text := query.Get("Page"); text != "" {
		// Pages beyond the first are reached only by following next_page_uri, which has the token.
		if page, err = strconv.Atoi(text); err != nil || page < 0 || page > 0 && query.Get("PageToken") != pageToken(page) {
			refuse(w, http.StatusBadRequest, 20006, "Page and PageToken do not belong together")
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []map[string]any
	for _, n := range r.numbers {
		if matches(query.Get("PhoneNumber"), n.PhoneNumber) && (!query.Has("FriendlyName") || n.FriendlyName == query.Get("FriendlyName")) {
			found = append(found, r.number(n))
		}
	}
	writeJSON(w, http.StatusOK, r.page(query, found, page, size))
}

// page is a page of a list as the API shows it.
func (r *REST) page(query url.Values, found []map[string]any, page, size int) map[string]any {
	base := "/2010-04-01/Accounts/" + r.accountSID + "/IncomingPhoneNumbers.json"
	at := func(page int) string {
		q := maps.Clone(query)
		q.Set("Page", strconv.Itoa(page))
		q.Set("PageSize", strconv.Itoa(size))
		q.Del("PageToken")
		if page > 0 {
			q.Set("PageToken", pageToken(page))
		}
		return base + "?" + q.Encode()
	}
	start := min(page*size, len(found))
	end := min(start+size, len(found))
	out := map[string]any{
		"incoming_phone_numbers": append([]map[string]any{}, found[start:end]...),
		"page":                   page, "page_size": size, "start": start, "end": max(end-1, 0), "uri": at(page),
		"first_page_uri": at(0), "next_page_uri": nil, "previous_page_uri": nil,
	}
	if end < len(found) {
		out["next_page_uri"] = at(page + 1)
	}
	if page > 0 {
		out["previous_page_uri"] = at(page - 1)
	}
	return out
}

func pageToken(page int) string { return fmt.Sprintf("PAPN%032d", page) }

// matches is Twilio's filter: a part of the number, in which * stands for any digit.
func matches(filter, number string) bool {
	for i := 0; i+len(filter) <= len(number); i++ {
		j := 0
		for j < len(filter) && (filter[j] == number[i+j] || filter[j] == '*') {
			j++
		}
		if j == len(filter) {
			return true
		}
	}
	return false
}

// serveNumber shows or changes one number: GET and POST …/IncomingPhoneNumbers/{Sid}.json.
func (r *REST) serveNumber(w http.ResponseWriter, req *http.Request) {
	sid, isJSON := strings.CutSuffix(req.PathValue("number"), ".json")
	if req.Method == http.MethodPost {
		req.Body = http.MaxBytesReader(w, req.Body, 64<<10)
		if media := req.Header.Get("Content-Type"); media != "application/x-www-form-urlencoded" {
			refuse(w, http.StatusUnsupportedMediaType, 20415, "Unsupported Media Type")
			return
		}
		if err := req.ParseForm(); err != nil {
			refuse(w, http.StatusBadRequest, 20001, "the form cannot be read")
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.numbers, func(n *Number) bool { return n.SID == sid })
	switch {
	case i < 0 || !isJSON:
		refuse(w, http.StatusNotFound, 20404, "The requested resource "+req.URL.Path+" was not found")
	case req.Method == http.MethodGet:
		writeJSON(w, http.StatusOK, r.number(r.numbers[i]))
	case req.Method == http.MethodPost:
		if code, text := r.numbers[i].update(req.PostForm); code != 0 {
			refuse(w, http.StatusBadRequest, code, text)
			return
		}
		writeJSON(w, http.StatusOK, r.number(r.numbers[i]))
	default:
		refuse(w, http.StatusMethodNotAllowed, 20004, "Method not allowed") // releasing a number is not simulated
	}
}

var (
	applicationSID = regexp.MustCompile(`^AP[0-9a-fA-F]{32}$`)
	trunkSID       = regexp.MustCompile(`^TK[0-9a-fA-F]{32}$`)
)

// update does what a form asks for, as a whole or not at all; code is 0 when it was done. An empty value clears.
func (n *Number) update(form url.Values) (code int, text string) {
	next := *n
	if len(form) == 0 {
		return 20001, "nothing to update"
	}
	for name, values := range form {
		if len(values) != 1 {
			return 20001, name + " appears more than once"
		}
		v := values[0]
		switch name {
		case "FriendlyName":
			if len(v) > 64 {
				return 21622, "FriendlyName is too long"
			}
			next.FriendlyName = v
		case "VoiceUrl", "VoiceFallbackUrl", "StatusCallback":
			if !isWebhook(v) {
				return 21402, name + " " + v + " is not a valid URL"
			}
			*map[string]*string{"VoiceUrl": &next.VoiceURL, "VoiceFallbackUrl": &next.VoiceFallbackURL, "StatusCallback": &next.StatusCallback}[name] = v
		case "VoiceMethod", "VoiceFallbackMethod", "StatusCallbackMethod":
			if v != http.MethodGet && v != http.MethodPost {
				return 21403, name + " is not GET or POST"
			}
			*map[string]*string{"VoiceMethod": &next.VoiceMethod, "VoiceFallbackMethod": &next.VoiceFallbackMethod, "StatusCallbackMethod": &next.StatusCallbackMethod}[name] = v
		case "VoiceApplicationSid": // takes a trunk away, and the other way round
			if v != "" && !applicationSID.MatchString(v) {
				return 21218, "VoiceApplicationSid is not valid"
			}
			next.VoiceApplicationSID = v
			if v != "" {
				next.TrunkSID = ""
			}
		case "TrunkSid":
			if v != "" && !trunkSID.MatchString(v) {
				return 20001, "TrunkSid is not valid"
			}
			next.TrunkSID = v
			if v != "" {
				next.VoiceApplicationSID = ""
			}
		default:
			return 20001, "unknown or not simulated parameter " + name
		}
	}
	if next.VoiceFallbackURL != "" && next.VoiceURL == "" && next.VoiceApplicationSID == "" {
		return 21405, "Cannot set VoiceFallbackUrl without setting VoiceUrl"
	}
	*n = next
	return 0, ""
}

func isWebhook(address string) bool {
	u, err := url.Parse(address)
	return address == "" || err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// number is a number as the API shows it. The caller holds the lock.
func (r *REST) number(n *Number) map[string]any {
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	return map[string]any{
		"sid": n.SID, "account_sid": r.accountSID, "phone_number": n.PhoneNumber, "friendly_name": n.FriendlyName, "api_version": "2010-04-01",
		"capabilities":         map[string]any{"voice": !n.NoVoice, "sms": true, "mms": false, "fax": false},
		"address_requirements": "none", "beta": false, "origin": "twilio", "status": "in-use",
		"voice_url": n.VoiceURL, "voice_method": n.VoiceMethod, "voice_fallback_url": n.VoiceFallbackURL, "voice_fallback_method": n.VoiceFallbackMethod,
		"status_callback": n.StatusCallback, "status_callback_method": n.StatusCallbackMethod, "voice_caller_id_lookup": false, "voice_receive_mode": "voice",
		"voice_application_sid": orNull(n.VoiceApplicationSID), "trunk_sid": orNull(n.TrunkSID),
		"uri": "/2010-04-01/Accounts/" + r.accountSID + "/IncomingPhoneNumbers/" + n.SID + ".json",
	}
}

package phone

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxRESTCalls bounds the calls that a REST server remembers.
const maxRESTCalls = 10_000

// REST is the part of Twilio's REST API that acts on running calls and on the phone numbers of one account, for any
// number of simulated calls: GET and POST /2010-04-01/Accounts/{AccountSid}/Calls/{CallSid}.json, GET
// …/IncomingPhoneNumbers.json, GET and POST …/IncomingPhoneNumbers/{Sid}.json. Its methods are safe for
// concurrent use.
type REST struct {
	accountSID, authToken string
	server                *http.Server
	listener              net.Listener
	done                  chan struct{}

	mu       sync.Mutex
	calls    map[string]*Call
	requests []RESTRequest
	numbers  []*Number // oldest first
	refusal  *refusal  // answers every request for numbers, if set
}

// RESTRequest is a request about a call that the API took and answered with success.
type RESTRequest struct {
	Method  string
	CallSID string
	Form    url.Values // of a POST
	At      time.Time
}

// Requests returns the newest requests about calls, at most 10,000, oldest first.
func (r *REST) Requests() []RESTRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

func (r *REST) note(method, callSID string, form url.Values) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.requests) >= maxRESTCalls {
		r.requests = r.requests[1:]
	}
	r.requests = append(r.requests, RESTRequest{method, callSID, form, time.Now()})
}

// ListenREST serves the API at address, "127.0.0.1:0" for a random port, until Close.
func ListenREST(address, accountSID, authToken string) (*REST, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for the simulated Twilio API: %w", err)
	}
	r := &REST{accountSID: accountSID, authToken: authToken, listener: l, done: make(chan struct{}), calls: make(map[string]*Call)}
	mux := http.NewServeMux()
	mux.HandleFunc("/2010-04-01/Accounts/{account}/Calls/{call}", r.serve)
	mux.HandleFunc("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json", r.authorized(r.serveNumbers))
	mux.HandleFunc("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{number}", r.authorized(r.serveNumber))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, 20404, "The requested resource was not found")
	})
	r.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second}
	go func() {
		defer close(r.done)
		_ = r.server.Serve(l)
	}()
	return r, nil
}

// URL returns the origin, for PARLEY_TWILIO_API_URL.
func (r *REST) URL() string { return "http://" + r.listener.Addr().String() }

// Close stops the server; calls go on.
func (r *REST) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := r.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = r.server.Close()
	}
	<-r.done
	return err
}

func (r *REST) add(c *Call) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[c.SID()] != nil {
		return fmt.Errorf("phone: a call with SID %s exists", c.SID())
	}
	if len(r.calls) >= maxRESTCalls {
		return fmt.Errorf("phone: the simulated API holds its limit of %d calls", maxRESTCalls)
	}
	r.calls[c.SID()] = c
	return nil
}

// allowed checks who asks, and answers those who may not.
func (r *REST) allowed(w http.ResponseWriter, req *http.Request) bool {
	user, password, _ := req.BasicAuth()
	if user != r.accountSID || subtle.ConstantTimeCompare([]byte(password), []byte(r.authToken)) != 1 {
		w.Header().Set("WWW-Authenticate", `Basic realm="Twilio API"`)
		refuse(w, http.StatusUnauthorized, 20003, "Authenticate")
		return false
	}
	return true
}

func (r *REST) serve(w http.ResponseWriter, req *http.Request) {
	if !r.allowed(w, req) {
		return
	}
	sid, isJSON := strings.CutSuffix(req.PathValue("call"), ".json")
	r.mu.Lock()
	c := r.calls[sid]
	r.mu.Unlock()
	if c == nil || !isJSON || req.PathValue("account") != r.accountSID {
		refuse(w, http.StatusNotFound, 20404, "The requested resource "+req.URL.Path+" was not found")
		return
	}
	switch req.Method {
	case http.MethodGet:
		r.note(req.Method, sid, nil)
		writeJSON(w, http.StatusOK, c.resource())
	case http.MethodPost:
		req.Body = http.MaxBytesReader(w, req.Body, 64<<10)
		if err := req.ParseForm(); err != nil {
			refuse(w, http.StatusBadRequest, 20001, "the form cannot be read")
			return
		}
		if status, code, text := c.update(req); code != 0 {
			refuse(w, status, code, text)
			return
		}
		r.note(req.Method, sid, req.PostForm)
		writeJSON(w, http.StatusOK, c.resource())
	default:
		refuse(w, http.StatusMethodNotAllowed, 20004, "Method not allowed")
	}
}

// update does what a POST asks for: hang up, or execute other TwiML. code is 0 when it was done.
func (c *Call) update(req *http.Request) (status, code int, text string) {
	want, twiml, target := req.PostForm.Get("Status"), req.PostForm.Get("Twiml"), req.PostForm.Get("Url")
	c.mu.Lock()
	defer c.unlock()
	switch {
	case c.endedBy != "":
		return http.StatusBadRequest, 21220, "Call is not in-progress. Cannot redirect."
	case want == "completed", want == "canceled" && c.answered.IsZero():
		c.endLocked("rest", false)
	case want != "":
		return http.StatusBadRequest, 20001, "Status " + want + " is not possible now"
	case c.answered.IsZero():
		return http.StatusBadRequest, 21220, "Call is not in-progress. Cannot redirect."
	case target != "":
		c.redirect = &document{url: target, get: req.PostForm.Get("Method") == "GET"}
		c.cancel()
	case len(twiml) > 4000:
		return http.StatusBadRequest, 20001, "Twiml is longer than 4000 characters"
	case twiml != "":
		c.redirect = &document{twiml: twiml}
		c.cancel()
	default:
		return http.StatusBadRequest, 20001, "nothing to update: give Status, Url or Twiml"
	}
	return 0, 0, ""
}

// resource is the call as the API shows it.
func (c *Call) resource() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := c.status
	if c.endedBy != "" && status == "in-progress" {
		status = "completed"
	}
	return map[string]any{
		"sid": c.opt.CallSID, "account_sid": c.opt.AccountSID, "from": c.opt.From, "to": c.opt.To,
		"status": status, "direction": "inbound", "api_version": "2010-04-01",
		"uri": "/2010-04-01/Accounts/" + c.opt.AccountSID + "/Calls/" + c.opt.CallSID + ".json",
	}
}

// refuse writes an error as Twilio does.
func refuse(w http.ResponseWriter, status, code int, text string) {
	writeJSON(w, status, map[string]any{
		"code": code, "message": text, "status": status, "more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", code),
	})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

package dashboard

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"parley"
	"parley/internal/respond"
	"parley/internal/web"
)

const (
	maxForm = 16 << 10 // bytes of a login form
	home    = "/try"   // where a login leads when it was not asked for by a page
)

// loginForm shows the form, or goes on with a login that lives.
func (h *Handler) loginForm(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	_, err := h.opt.Logins.Authenticate(r.Context(), r)
	switch parley.ErrorCode(err) {
	case parley.CodeUnauthorized:
		web.Login{Next: next}.Write(w, http.StatusOK)
	case "":
		redirect(w, next)
	default:
		h.fail(w, r, err)
	}
}

// logIn checks the key of the form. Attempts with wrong keys count against the client's address together with those
// at the API.
func (h *Handler) logIn(w http.ResponseWriter, r *http.Request) {
	if !h.opt.Logins.OwnPage(r) { // or another site could log people in to an organization of its own
		web.Login{Next: home, Problem: "The form was sent by another site. Log in here."}.Write(w, http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		web.Login{Next: home, Problem: "The form was too large, or could not be read."}.Write(w, http.StatusBadRequest)
		return
	}
	key, next := strings.TrimSpace(r.PostForm.Get("key")), localPath(r.PostForm.Get("next"))
	client := respond.Client(r.Context())
	if wait, ok := h.opt.Failures.Allowed(client); !ok && !h.opt.Auth.Known(http.Header{"X-Api-Key": {key}}) {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		web.Login{Next: next, Problem: "Too many wrong keys came from your address. Check the key, and try again in a minute."}.Write(w, http.StatusTooManyRequests)
		return
	}
	err := h.opt.Logins.Begin(r.Context(), w, key)
	switch parley.ErrorCode(err) {
	case "":
		redirect(w, next)
	case parley.CodeUnauthorized:
		h.opt.Failures.Failed(client)
		web.Login{Next: next, Problem: "This key is not accepted. Check it, or create another."}.Write(w, http.StatusUnauthorized)
	default:
		h.fail(w, r, err)
	}
}

// logOut ends the login and leads to the form.
func (h *Handler) logOut(w http.ResponseWriter, r *http.Request) {
	if !h.opt.Logins.OwnPage(r) {
		h.fail(w, r, parley.Errorf(parley.CodeForbidden, "The form was sent by another site"))
		return
	}
	if err := h.opt.Logins.End(r.Context(), w, r); err != nil {
		h.fail(w, r, err)
		return
	}
	redirect(w, "/login")
}

// localPath is where a login may lead: a path of this server, whatever a link says. What browsers read as another
// host is no such path: two slashes, and a backslash or a control character that makes two of one.
func localPath(s string) string {
	u, err := url.Parse(s)
	odd := strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' })
	if err != nil || odd || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") {
		return home
	}
	return s
}

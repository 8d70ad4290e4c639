package widget

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"parley"
	"parley/internal/respond"
	"parley/web/widget"
)

// launcher serves the one script of the embed code: GET /widget.js. With ?agent= the agent's appearance is inlined, so
// that the button stands right in the first frame. It is not secret: whoever sees the page sees it.
func (h *Handler) launcher(w http.ResponseWriter, r *http.Request) {
	var look *widget.Appearance
	if id := r.URL.Query().Get("agent"); parley.IsID(id) {
		ctx, cancel := context.WithTimeout(r.Context(), requestPatience)
		defer cancel()
		a, err := h.opt.Store.FindWidgetAgent(ctx, id)
		switch {
		case err == nil && a.Type == parley.AgentChat:
			look = &widget.Appearance{Agent: a.ID, Position: a.Chat.Position, Color: a.Chat.PrimaryColor, Theme: a.Chat.Theme, Title: a.Chat.Title, Online: a.Status.Answers()}
		case err != nil && !parley.IsNotFound(err):
			respond.Error(w, r, h.opt.Logger, err)
			return
		}
	}
	body := widget.Launcher(look)
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	header := w.Header()
	header.Set("Cache-Control", "public, max-age=60, stale-while-revalidate=600")
	header.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.send(w, r, body, "text/javascript; charset=utf-8", func(encoding string) ([]byte, bool) { return h.packed.pack(encoding, body), true })
}

// asset serves what the launcher loads: GET /widget/assets/{name}. The name changes with the content.
func (h *Handler) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	body, contentType, ok := widget.Asset(name)
	if !ok {
		respond.Error(w, r, h.opt.Logger, parley.Errorf(parley.CodeNotFound, "There is nothing at this address"))
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	h.send(w, r, body, contentType, func(encoding string) ([]byte, bool) {
		packed, _, ok := widget.AssetEncoded(name, encoding)
		return packed, ok
	})
}

// send sends a file that every site may load, compressed as the client likes it. packed is the file in an encoding,
// false when there is none.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, body []byte, contentType string, packed func(encoding string) ([]byte, bool)) {
	header := w.Header()
	header.Add("Vary", "Accept-Encoding")
	for _, encoding := range []string{"br", "gzip"} {
		if !accepts(r, encoding) {
			continue
		}
		if small, ok := packed(encoding); ok {
			header.Set("Content-Encoding", encoding)
			body = small
			break
		}
	}
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body) //nolint:gosec // our own files; a client that went away cannot be told anything
}

// accepts reports whether the client takes an encoding: it is named, and not with q=0.
func accepts(r *http.Request, encoding string) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, q, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), encoding) {
			weight, err := strconv.ParseFloat(strings.TrimPrefix(strings.ReplaceAll(q, " ", ""), "q="), 64)
			return err != nil || weight > 0
		}
	}
	return false
}

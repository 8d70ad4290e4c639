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
	h.send(w, r, body, "text/javascript; charset=utf-8")
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
	w.Header().Add("Vary", "Accept-Encoding")
	for _, encoding := range []string{"br", "gzip"} {
		if !accepts(r, encoding) {
			continue
		}
		if packed, _, ok := widget.AssetEncoded(name, encoding); ok {
			w.Header().Set("Content-Encoding", encoding)
			body = packed
			break
		}
	}
	h.write(w, body, contentType)
}

// write sends a file that every site may load.
func (h *Handler) write(w http.ResponseWriter, body []byte, contentType string) {
	header := w.Header()
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

package widget

import (
	"net/http"
	"strconv"
	"time"

	"parley"
	"parley/internal/respond"
)

// follow streams an answer as it is written: GET /widget/v1/runs/{runId}/events. What came after Last-Event-ID (the
// header, or ?lastEventId=) is sent again; the stream ends with run.completed. A visitor who stops reading is cut off
// and can come back.
func (h *Handler) follow(w http.ResponseWriter, r *http.Request, g guest) error {
	after, err := lastEventID(r)
	if err != nil {
		return err
	}
	run, err := h.findRun(r, g)
	if err != nil {
		return err
	}
	reason, release := h.busy.enter(place{"streams_per_visitor", g.VisitorID, streamsPerVisitor})
	if reason != "" {
		return errBudget(reason, sayManyStreams, 5*time.Second)
	}
	defer release()
	said, err := h.opt.Chat.Recall(r.Context(), g.OrgID, run.ID)
	if err != nil {
		return err
	}
	h.opt.Counts.Streams.Add(1)
	defer h.opt.Counts.Streams.Add(-1)
	said.Pour(r.Context(), after, respond.NewStream(w), respond.Heartbeat)
	return nil
}

func lastEventID(r *http.Request) (int64, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("lastEventId")
	}
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, parley.Invalid([]parley.FieldError{{Field: "lastEventId", Message: "must be the id of an event of this stream."}})
	}
	return n, nil
}

package call

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"parley"
	"parley/internal/log"
	"parley/internal/metric"
)

// Ended counts the calls that this process ended, by reason.
func (s *Service) Ended() *metric.Vec { return s.ended }

// report says once how a call went: to the counters, to the server's log in one line, and to who asked to be told.
func (s *Service) report(conv parley.Conversation, events []parley.Event) {
	s.ended.Add(1, conv.EndReason)
	events = append(events, parley.NewEvent(parley.EventConversationEnded, *conv.EndedAt, parley.EndData{Reason: conv.EndReason}))
	s.opt.Logger.LogAttrs(context.Background(), slog.LevelInfo, "call ended", outcome(conv, events)...)
	if s.opt.Ended != nil {
		s.opt.Ended(conv, events)
	}
}

// outcome is a call in one line: never what was said, and of the other side's number only its end.
func outcome(conv parley.Conversation, events []parley.Event) []slog.Attr {
	var interruptions, rejected, streams, redials, faults int64
	var media parley.StreamMeasuredData
	for _, e := range events {
		switch e.Type {
		case parley.EventInterruption:
			interruptions++
		case parley.EventStreamStarted:
			streams++
		case parley.EventInterruptionRejected:
			rejected++
		case "model.redialed":
			redials++
		case parley.EventError:
			faults++
		case parley.EventStreamMeasured:
			var d parley.StreamMeasuredData
			_ = json.Unmarshal(e.Data, &d) // our own
			media.Underruns += d.Underruns
			media.Late += d.Late
		}
	}
	them := conv.From
	if conv.Direction == "outbound" {
		them = conv.To
	}
	sum := conv.Summary
	return []slog.Attr{
		slog.String("call_id", conv.ID), slog.String("org_id", conv.OrgID), slog.String("agent_id", conv.AgentID),
		slog.String("direction", conv.Direction), slog.String("caller", maskNumber(them)), slog.String("reason", conv.EndReason),
		slog.Float64("seconds", conv.EndedAt.Sub(conv.StartedAt).Round(100*time.Millisecond).Seconds()),
		slog.Int("turns", sum.Latency.Turns), slog.Int64("p50_ms", sum.Latency.P50Ms), slog.Int64("p95_ms", sum.Latency.P95Ms),
		slog.Int64("heard_p95_ms", sum.Latency.Hops.Total.P95Ms),
		slog.Int64("interruptions", interruptions), slog.Int64("false_interruptions", rejected), slog.Int64("resumes", max(0, streams-1)), slog.Int64("redials", redials),
		slog.Int64("faults", faults), slog.Int("underruns", media.Underruns), slog.Int64("late_frames", media.Late),
		slog.Int64("tokens", sum.Usage.TotalTokens+sum.Usage.TranscriptionTokens), slog.Int64("carrier_minutes", sum.Usage.CarrierMinutes),
		slog.Float64("cost_dollars", float64(sum.Cost)/1e6), slog.Bool("simulated", conv.Simulated), slog.Bool("test", conv.Test),
	}
}

// shownDigits are left of a number.
const shownDigits = 4

// maskNumber hides an address but its last four characters. Addresses that are no numbers are hidden but their scheme.
func maskNumber(address string) string {
	if scheme, _, ok := strings.Cut(address, ":"); ok {
		return scheme + ":…"
	}
	if len(address) <= shownDigits {
		return strings.Repeat("*", len(address))
	}
	return strings.Repeat("*", len(address)-shownDigits) + address[len(address)-shownDigits:]
}

// direction is who began a call, for the carrier's price; inbound when that cannot be read.
func (s *Service) direction(ctx context.Context, c parley.Call) string {
	if conv, err := s.st.FindConversation(ctx, c.OrgID, c.ID); err == nil {
		return conv.Direction
	}
	return "inbound"
}

// billCarrier puts the carrier's minutes on record, before the end. The carrier charges from the answer to the end
// of the call; a call that it lost ended when its stream did, as far as we can know.
func (s *Service) billCarrier(ctx context.Context, w *log.Writer, c parley.Call, reason string) {
	if reason == parley.EndNotAnswered || c.FromBrowser() {
		return
	}
	end := time.Now()
	if reason == parley.EndCarrierLost {
		end = c.UpdatedAt
	}
	w.Fact(parley.EventUsage, s.opt.Bill.Carrier(s.direction(ctx, c), c.To, end.Sub(c.CreatedAt), c.Simulated))
}

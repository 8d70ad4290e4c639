package parley

import "slices"

// Latency summarizes the response times of a conversation's turns, in milliseconds.
type Latency struct {
	Turns int   `json:"turns" doc:"Answered turns." example:"4"`
	P50Ms int64 `json:"p50Ms" doc:"Half of the turns were answered within this time." example:"640"`
	P95Ms int64 `json:"p95Ms" doc:"95 % of the turns were answered within this time." example:"910"`
	MaxMs int64 `json:"maxMs" doc:"The slowest answer." example:"910"`
	Hops  Hops  `json:"hops" doc:"Where the time went, on the way from the person's last sound to the answer's first in the ear."`
}

// Hops are the parts of the latency, in the order of the way. Chats have only the model's.
type Hops struct {
	Endpoint Spread `json:"endpoint" doc:"Calls: from the end of the caller's speech until the model noticed it."`
	Create   Spread `json:"create" doc:"Calls: until the answer was asked for."`
	Model    Spread `json:"model" doc:"Until the model's first sound or word."`
	Frame    Spread `json:"frame" doc:"Calls: until the first frame left for the carrier."`
	Heard    Spread `json:"heard" doc:"Calls: until the carrier began to play it."`
	Total    Spread `json:"total" doc:"Calls: all of it, of the turns whose answer was heard."`
}

// Spread is the median and the 95th percentile of some times, in milliseconds; zeros when there were none.
type Spread struct {
	P50Ms int64 `json:"p50Ms" doc:"Half of the times were at most this long." example:"320"`
	P95Ms int64 `json:"p95Ms" doc:"95 % of the times were at most this long." example:"480"`
}

// SpreadOf sorts times and returns their spread.
func SpreadOf(times []int64) Spread {
	n := len(times)
	if n == 0 {
		return Spread{}
	}
	slices.Sort(times)
	return Spread{P50Ms: times[(n-1)/2], P95Ms: times[(n-1)*95/100]}
}

// Total is the time from the end of the caller's speech until the answer began to play at the caller; ok is false
// when it is not known that it did.
func (d TurnLatencyData) Total() (ms int64, ok bool) {
	if d.HeardMs == nil {
		return 0, false
	}
	return d.EndpointMs + d.ResponseMs + *d.HeardMs, true
}

func latencyOf(turns []TurnLatencyData) Latency {
	var responses, endpoint, create, model, frame, heard, total []int64
	for _, t := range turns {
		responses, model = append(responses, t.ResponseMs), append(model, t.FirstByteMs)
		if t.ResponseID == "" {
			continue // a chat has no other hops
		}
		endpoint, create, frame = append(endpoint, t.EndpointMs), append(create, t.CreateMs), append(frame, t.FrameMs)
		if sum, ok := t.Total(); ok {
			heard, total = append(heard, *t.HeardMs), append(total, sum)
		}
	}
	all := SpreadOf(responses)
	l := Latency{Turns: len(turns), P50Ms: all.P50Ms, P95Ms: all.P95Ms, Hops: Hops{
		Endpoint: SpreadOf(endpoint), Create: SpreadOf(create), Model: SpreadOf(model), Frame: SpreadOf(frame),
		Heard: SpreadOf(heard), Total: SpreadOf(total),
	}}
	if n := len(responses); n > 0 {
		l.MaxMs = responses[n-1]
	}
	return l
}

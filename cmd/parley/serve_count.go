package main

// countThings registers what the owners count, for /metrics. docs/operations.md describes every metric.
func (a *app) countThings() {
	a.countCalls()
	a.countTurns()
	a.countLoad()
	a.countVisits()
	m := a.metrics
	m.Counters("parley_model_tokens_total", "Tokens that models and transcriptions billed, by model and kind.", 1, a.bill.Tokens)
	m.Counters("parley_cost_dollars_total", "Cost by model and kind of bill (response, transcription, carrier). Carrier minutes count when a call ends.", 1e-6, a.bill.Cost)
	if a.traces != nil {
		m.Counter("parley_traces_sent_total", "Traces of calls that the collector took.", func() float64 { return float64(a.traces.Sent()) })
		m.Counter("parley_traces_dropped_total", "Traces of calls that were lost.", func() float64 { return float64(a.traces.Dropped()) })
	}
	m.Counters("parley_unpriced_total", "Bills for which the price table has no price.", 1, a.bill.Unpriced)
	m.Gauge("parley_chat_runs_active", "Chat turns under way.", func() float64 { return float64(a.chat.Active()) })
	m.Gauge("parley_log_pending_bytes", "Events that wait to be committed.", func() float64 { return float64(a.log.Stats().PendingBytes) })
	m.Counter("parley_log_commits_total", "Commits of the event log.", func() float64 { return float64(a.log.Stats().Commits) })
	m.Counter("parley_log_rows_total", "Events committed.", func() float64 { return float64(a.log.Stats().Rows) })
	m.Counter("parley_log_fenced_total", "Writers fenced off by another owner.", func() float64 { return float64(a.log.Stats().Fenced) })
	m.Counter("parley_log_dropped_total", "Telemetry events dropped under load.", func() float64 { return float64(a.log.Stats().Dropped) })
	m.Counter("parley_store_commits_total", "Transactions of the writer.", func() float64 { return float64(a.store.Stats().Commits) })
	m.Gauge("parley_store_writer_wait_seconds", "How long the last transaction waited for the writer.", func() float64 { return a.store.Stats().WriterWait.Seconds() })
	m.Gauge("parley_store_write_max_seconds", "The longest transaction so far.", func() float64 { return a.store.Stats().MaxWrite.Seconds() })
}

func (a *app) countCalls() {
	m, c := a.metrics, a.counts
	m.Gauge("parley_calls_live", "Calls with a running session.", func() float64 { return float64(a.phone.Live()) })
	m.Counter("parley_calls_completed_total", "Call sessions that ended as they should.", func() float64 { return float64(a.host.Stats().Completed) })
	m.Counter("parley_calls_failed_total", "Call sessions that failed: no model, a lost carrier, an error.", func() float64 { return float64(a.host.Stats().Failed) })
	m.Counter("parley_calls_detached_total", "Media streams that vanished without a stop.", func() float64 { return float64(a.host.Stats().Detached) })
	m.Counter("parley_calls_fenced_total", "Call sessions that another stream or process took over.", func() float64 { return float64(a.host.Stats().Fenced) })
	m.Counters("parley_calls_ended_total", "Calls that this process ended, by reason.", 1, a.calls.Ended())
	m.Counters("parley_interruptions_total", "Times that a caller's sound stopped the agent, by what proved it: silence (the agent was not heard yet), gate, words; rejected: the agent went on.", 1, c.Cuts)
	m.Counters("parley_turns_total", "Callers' turns, by how they ended (answered, backchannel, echo) and by what decided.", 1, c.Turns)
	m.Counters("parley_call_events_total", "Events of calls, by type: interruption, stream.started and so on.", 1, c.Events)
	m.Counters("parley_call_errors_total", "Failures on the legs of calls, by where and type.", 1, c.Errors)
	m.Counters("parley_tool_calls_total", "Tool calls, by channel (phone, chat), tool and outcome.", 1, c.Tools.Calls)
	m.Histogram("parley_tool_seconds", "How long tools ran.", c.Tools.Seconds)
	m.Counter("parley_calls_underruns_total", "Holes in the agents' voices, by our own estimate.", func() float64 { return float64(c.Underruns.Load()) })
}

func (a *app) countTurns() {
	m, c := a.metrics, a.counts
	m.Histograms("parley_turn_seconds", "Latency of the turns of calls, by hop.", "hop", c.Hops)
	m.Histogram("parley_clear_seconds", "From the model hearing the caller to the clear of what the agent still says.", c.Clear)
	m.Histogram("parley_model_connect_seconds", "From the attached media stream to a configured model session.", c.Connect)
	m.Histogram("parley_frame_lateness_seconds", "How late paced frames left for the caller.", c.Pacing)
	m.Counter("parley_frames_in_total", "Frames of 20 ms from callers.", func() float64 { return float64(c.FramesIn.Load()) })
	m.Counter("parley_frames_out_total", "Frames of 20 ms to callers.", func() float64 { return float64(c.FramesOut.Load()) })
	m.Counter("parley_frames_late_total", "Frames that left more than 20 ms after their time.", func() float64 { return float64(c.FramesLate.Load()) })
}

func (a *app) countLoad() {
	m := a.metrics
	m.Gauge("parley_call_slots_used", "Calls held and calls promised to the carrier.", func() float64 { return float64(a.capacity.Used()) })
	m.Gauge("parley_call_slots_max", "The configured limit of calls; 0 = by measured load.", func() float64 { return float64(a.cfg.MaxCalls) })
	m.Counters("parley_calls_refused_total", "New calls that were not taken, by reason: full, organization, overloaded.", 1, a.capacity.Refused())
	m.Gauge("parley_overloaded", "1 while the process is late with its work.", func() float64 {
		if a.load.Overloaded() {
			return 1
		}
		return 0
	})
	m.Gauge("parley_scheduler_wait_p99_seconds", "How long goroutines waited to run in the last second.", func() float64 { return a.load.Last().Scheduler.Seconds() })
	m.Gauge("parley_cpu_share", "Share of the processors in use in the last second, 0 to 1.", func() float64 { return a.load.Last().CPU })
}

func (a *app) countVisits() {
	m, c := a.metrics, a.visits
	m.Counters("parley_widget_sessions_total", "Chat sessions of websites, by kind: new, resumed.", 1, c.Sessions)
	m.Counter("parley_widget_messages_total", "Messages of visitors that were accepted, repeated answers included.", func() float64 { return float64(c.Messages.Load()) })
	m.Counters("parley_widget_refusals_total", "Requests of websites that were refused, by reason: origin, token, offline, a budget's name and so on.", 1, c.Refusals)
	m.Gauge("parley_widget_streams_open", "Streams of answers that visitors follow.", func() float64 { return float64(c.Streams.Load()) })
}

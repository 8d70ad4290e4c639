package main

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
)

// chatResult is what one pass has shown.
type chatResult struct {
	Streams        int      `json:"streams"`
	Subject        string   `json:"subject"`
	Open           int      `json:"open"`  // at once, at most
	Turns          int      `json:"turns"` // answers that ended
	First          spread   `json:"firstToken"`
	Commit         spread   `json:"commitWait"`
	Beyond         spread   `json:"firstTokenBeyondCommit"`
	WordsPerSecond float64  `json:"tokensPerSecond"`
	CPU            float64  `json:"cpu"` // of the subject, in processors
	BytesPerStream int64    `json:"bytesPerStream"`
	RSSBefore      int64    `json:"rssBefore"`
	RSSPeak        int64    `json:"rssPeak"`
	LogLines       int      `json:"logLines"`
	Faults         []string `json:"faults"`
}

// chatReport compares the server with the proxy.
type chatReport struct {
	OK     bool         `json:"ok"`
	CPUs   int          `json:"cpus"`
	Passes []chatResult `json:"passes"`
}

func newChatReport(passes []chatResult) chatReport {
	r := chatReport{OK: true, CPUs: runtime.NumCPU(), Passes: passes}
	for _, p := range passes {
		r.OK = r.OK && len(p.Faults) == 0
	}
	return r
}

// table prints a line for each pass, and what the server adds to the proxy.
func (r chatReport) table(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "chats\tthrough\topen\tanswers\tfirst token p50\tp99\tcommit wait p50\tp99\tfirst beyond commit p50\tp99\ttokens/s\tCPU\tKiB/stream\tfaults\t")
	for _, p := range r.Passes {
		_, _ = fmt.Fprintf(t, "%d\t%s\t%d\t%d\t%.2f ms\t%.2f ms\t", p.Streams, p.Subject, p.Open, p.Turns, p.First.P50, p.First.P99)
		if p.Subject == subjectProxy {
			_, _ = fmt.Fprint(t, "\t\t\t\t")
		} else {
			_, _ = fmt.Fprintf(t, "%.2f ms\t%.2f ms\t%.2f ms\t%.2f ms\t", p.Commit.P50, p.Commit.P99, p.Beyond.P50, p.Beyond.P99)
		}
		_, _ = fmt.Fprintf(t, "%.0f\t%.0f %%\t%.1f\t%d\t\n", p.WordsPerSecond, 100*p.CPU, float64(p.BytesPerStream)/1024, len(p.Faults))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	r.compare(out)
	for _, p := range r.Passes {
		for i, f := range p.Faults {
			if i == shownFaults {
				break
			}
			_, _ = fmt.Fprintf(out, "%d chats through %s: %s\n", p.Streams, p.Subject, f)
		}
	}
	_, err := fmt.Fprintf(out, "%d processors, shared by people, model and subject: times show the machine too.\n", r.CPUs)
	return err
}

// compare says what the server adds to the first token that the proxy brings.
func (r chatReport) compare(out io.Writer) {
	proxy := map[int]chatResult{}
	for _, p := range r.Passes {
		if p.Subject == subjectProxy {
			proxy[p.Streams] = p
			continue
		}
		bare := proxy[p.Streams]
		_, _ = fmt.Fprintf(out, "%d chats: the first token comes %.2f ms (p50), %.2f ms (p99) later than through the proxy; of that beyond the commit %.2f ms, %.2f ms\n",
			p.Streams, p.First.P50-bare.First.P50, p.First.P99-bare.First.P99, p.Beyond.P50-bare.First.P50, p.Beyond.P99-bare.First.P99)
	}
}

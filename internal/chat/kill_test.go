package chat

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley"
	"parley/internal/event"
	"parley/internal/log"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tool"
)

// The child's orders: which database, and which agent answers.
const (
	childURL   = "PARLEY_CHAT_CHILD_URL"
	childAgent = "PARLEY_CHAT_CHILD_AGENT" // organization and agent
)

func TestMain(m *testing.M) {
	if os.Getenv(childURL) != "" {
		if err := childMain(); err != nil {
			fmt.Println("E", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// childMain is a process that writes an answer without an end until it is killed. It says "R <run>" when the run began.
func childMain() error {
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{URL: os.Getenv(childURL)})
	if err != nil {
		return err
	}
	orgID, agentID, _ := strings.Cut(os.Getenv(childAgent), " ")
	model := &script{answers: []answerFunc{func(_ context.Context, _ openai.ChatRequest, on func(string)) (openai.ChatAnswer, error) {
		for i := 0; ; i++ {
			on(fmt.Sprint("word", i, " "))
			time.Sleep(5 * time.Millisecond)
		}
	}}}
	owner := parley.NewID()
	svc := New(Options{Store: st, Log: log.New(st, event.NewBus(), log.Options{}), Model: model, Tools: tool.New(tool.Options{}), Owner: owner,
		Endpoint: func(context.Context, string) (openai.Endpoint, error) { return openai.Endpoint{Simulated: true}, nil }})
	beat := func() error {
		return st.Write(ctx, func(tx *store.Tx) error { return tx.BeatProcess(ctx, owner, false) })
	}
	if err := beat(); err != nil {
		return err
	}
	run, err := svc.Start(ctx, orgID, Request{AgentID: agentID, Message: "Talk."})
	if err != nil {
		return err
	}
	fmt.Println("R", run.ID)
	for {
		time.Sleep(time.Second)
		if err := beat(); err != nil {
			return err
		}
	}
}

// An answer that another process writes is followed while it is written. When that process is killed, its readers get
// what was stored and the end; nobody is told twice, and the conversation goes on.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	st := storetest.PostgresAt(t, url)
	b := newBench(t, st, nil, says("Here I am."))
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childURL+"="+url, childAgent+"="+b.agent.OrgID+" "+b.agent.ID)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	runID, ok := strings.CutPrefix(strings.TrimSpace(line), "R ")
	if err != nil || !ok {
		t.Fatalf("the child said %q, %v", line, err)
	}
	events, err := b.svc.Follow(t.Context(), b.agent.OrgID, runID, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []Event
	text := ""
	for !strings.Contains(text, "word300 ") {
		e := next(t, events)
		got, text = append(got, e), text+e.Data.(DeltaData).Text
	}
	if len(got) < 4 {
		t.Errorf("the answer came in %d pieces", len(got))
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	rest, more := collect(t, events)
	t.Logf("the end came %v after the kill, %d characters in %d pieces", time.Since(killed), len(text+more), len(got)+len(rest))
	text += more
	for i := range 300 {
		if n := strings.Count(text, fmt.Sprint("word", i, " ")); n != 1 {
			t.Fatalf("word%d came %d times", i, n)
		}
	}
	if end := rest[len(rest)-1]; end.Data != (DoneData{StatusFailed}) || rest[len(rest)-2].Type != EventError {
		t.Errorf("the end: %s", show(rest))
	}
	again, err := b.svc.Recall(t.Context(), b.agent.OrgID, runID)
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := wait(t, again); r.Text != text {
		t.Error("a later reader gets another text")
	}
	shown, err := b.svc.Messages(t.Context(), b.agent.OrgID, again.ConversationID)
	if err != nil || len(shown.Messages) != 2 || shown.Messages[1].Text != text || shown.Messages[1].Status != StatusFailed {
		t.Errorf("the visitor sees %+v, %v", shown, err)
	}
	if r := b.retry(t, runID); r.Text != "Here I am." {
		t.Errorf("retried: %+v", r)
	}
}

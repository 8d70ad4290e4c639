package event

import (
	"sync"
	"testing"
)

func TestSubscriberGetsTheNewestPosition(t *testing.T) {
	t.Parallel()
	b := NewBus()
	slow, cancel := b.Subscribe("a")
	defer cancel()
	other, cancelOther := b.Subscribe("b")
	defer cancelOther()
	for seq := int64(1); seq <= 1000; seq++ {
		b.Publish("a", seq) // would block for ever if it waited for the reader
	}
	b.Publish("a", 7) // out of order: two committers may race
	if got := <-slow; got != 1000 {
		t.Fatalf("position = %d, want 1000", got)
	}
	select {
	case got := <-other:
		t.Fatalf("a subscriber of another conversation got %d", got)
	default:
	}
}

func TestCancelClosesOnceAndForgets(t *testing.T) {
	t.Parallel()
	b := NewBus()
	ch, cancel := b.Subscribe("a")
	cancel()
	cancel()
	if _, open := <-ch; open {
		t.Fatal("channel is open after cancel")
	}
	b.Publish("a", 1)
	if len(b.subs) != 0 {
		t.Fatalf("%d conversations are remembered without a subscriber", len(b.subs))
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	b := NewBus()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for seq := range int64(200) {
				ch, cancel := b.Subscribe("a")
				b.Publish("a", seq)
				<-ch
				cancel()
			}
		})
	}
	wg.Wait()
}

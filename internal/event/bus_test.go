package event

import "testing"

func TestSubscribersGetTheNewestPositionOfTheirConversation(t *testing.T) {
	t.Parallel()
	b := NewBus()
	a, cancelA := b.Subscribe("a")
	other, cancelOther := b.Subscribe("b")
	b.Publish("a", 1)
	b.Publish("a", 2) // nobody has taken 1: it never blocks
	if got := <-a; got != 2 {
		t.Fatalf("got %d, want the newest position", got)
	}
	select {
	case got := <-other:
		t.Fatalf("another conversation's subscriber got %d", got)
	default:
	}
	cancelA()
	cancelA()
	b.Publish("a", 3)
	cancelOther()
	if len(b.subs) != 0 {
		t.Fatal("canceled subscriptions stay in memory")
	}
}

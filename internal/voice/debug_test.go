package voice
import ("testing";"parley/internal/sim/speech";"os";"strings";"time")
func TestDebugClip(t *testing.T) {
	want := os.Getenv("CLIP")
	if want == "" { t.Skip() }
	t.Log(speech.Say(agentWords).Ms())
	for _, set := range []string{"tuned","held"} { for _, c := range corpus(set) {
		if strings.Contains(c.name, want) { f := c.run(t, true, 0.5); t.Logf("%s at %d+%d: %+v", c.name, c.soundAt, c.soundMs, f.states); t.Log(f.cut,f.by,f.paused); for _,e:=range lastTape.events { t.Log(e.At.Sub(lastBegun).Milliseconds(), e.Type, string(e.Data)) }; return }
	} }
}
var lastTape *tape
var lastBegun time.Time

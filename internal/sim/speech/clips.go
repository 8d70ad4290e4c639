package speech

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// Lines are the texts that have a recorded clip, in the order of lines.txt.
func Lines() []string {
	var out []string
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

var (
	//go:embed lines.txt
	lines string
	//go:embed clips.ulaw
	clipAudio []byte
	//go:embed clips.json
	clipIndex []byte
)

// recording is one entry of clips.json: where its audio lies in clips.ulaw.
type recording struct {
	Text   string `json:"text"`
	Offset int    `json:"offset"` // bytes
	Bytes  int    `json:"bytes"`
	Words  []Word `json:"words"`
}

var recorded = sync.OnceValue(func() map[string]Clip {
	var index []recording
	if err := json.Unmarshal(clipIndex, &index); err != nil {
		panic(fmt.Sprintf("speech: clips.json does not parse: %v", err)) // embedded: a build with it is broken
	}
	clips := make(map[string]Clip, len(index))
	for _, r := range index {
		clips[r.Text] = Clip{ULaw: clipAudio[r.Offset : r.Offset+r.Bytes : r.Offset+r.Bytes], Words: r.Words}
	}
	return clips
})
